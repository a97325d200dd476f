/**
 * The inbox over real servers that are killed: whoever follows it with its cursor has, in the end, what waits, on the same server after its restart
 * and on another one of the same database.
 */
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import { onEachStore } from '../support/stores.ts';
import { ROOT_KEY, World } from '../support/world.ts';

const SCRIPTS = { HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` };
const FOLLOW = `subscription ($after: String) { inboxChanged(after: $after) {
  cursor isCaughtUp changes { sessionId requests { id kind question claim { assignee } } } } }`;
const LIST = '{ inbox { nodes { id kind session { id } claim { assignee } } } }';

/** As docs/inbox.md says that clients keep it. */
class List {
  readonly bySession = new Map<string, readonly { claim: { assignee: string } | null; question: string }[]>();
  cursor: string | undefined;
  #stop: () => Promise<void> = () => Promise.resolve();

  follow(world: World): void {
    const client = createClient({
      url: `${world.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${ROOT_KEY}` },
      retryAttempts: 0,
    });
    // oxlint-disable-next-line typescript/no-explicit-any -- tests read what they asked for
    const take = ({ cursor, changes }: any): void => {
      for (const { sessionId, requests } of changes)
        if (requests.length > 0) this.bySession.set(sessionId, requests);
        else this.bySession.delete(sessionId);
      this.cursor = cursor;
    };
    client.subscribe(
      { query: FOLLOW, variables: { after: this.cursor } },
      {
        // oxlint-disable-next-line typescript/no-explicit-any -- see above
        next: ({ data }) => take((data as any).inboxChanged),
        error: () => undefined,
        complete: () => undefined,
      },
    );
    this.#stop = async () => client.dispose();
  }

  async stop(): Promise<void> {
    await this.#stop();
  }

  has(...ids: readonly string[]): Promise<boolean> {
    const expected = ids.toSorted().join();
    return eventually(
      'the list is what waits',
      () => [...this.bySession.keys()].toSorted().join() === expected,
    );
  }
}

await onEachStore((store) => {
  const worlds: World[] = [];
  const list = new List();
  afterEach(async () => {
    await list.stop();
    for (const world of worlds.splice(0).toReversed()) await world.close();
  });

  it('proves INBOX-4: a follower that goes on with its cursor misses nothing, whichever server is killed', async () => {
    const one = await World.open(SCRIPTS, store);
    worlds.push(one);
    await one.createAgent({ name: 'ask', model: 'rehearsal/ask' });
    const ask = async (world: World): Promise<string> => {
      const id = await world.startSession({ agent: 'ask', input: 'Paint it.' });
      await world.status(id, 'AWAITING_INPUT');
      return id;
    };
    const ids = [await ask(one), await ask(one), await ask(one)] as const;
    list.follow(one);
    await list.has(...ids);
    expect(list.bySession.get(ids[0])?.[0]?.question).toBe('Which colour?');

    // what happens while nobody follows, beside a kill of the server
    await list.stop();
    await one.send(ids[0], 'red');
    await one.sees(ids[0], 'turn.completed', 2);
    const { nodes } = (await one.graphql(LIST)).inbox;
    expect(nodes).toHaveLength(2);
    const input = {
      sessionId: ids[1],
      requestId: nodes.find(({ session }: { session: { id: string } }) => session.id === ids[1]).id,
    };
    const claim = `mutation ($input: ClaimRequestInput!) { claimRequest(input: $input) { __typename ... on Fault { code } } }`;
    const claimed = await one.graphql(claim, { input: { ...input, assignee: 'ann' } });
    expect(claimed.claimRequest.__typename).toBe('ClaimRequestPayload');
    await one.crash();
    await one.start();
    const later = await ask(one);
    const next = store === 'mongo' ? await beside(one) : one;
    list.follow(next);
    await list.has(ids[1], ids[2], later);
    await eventually('its claim is known', () => list.bySession.get(ids[1])?.[0]?.claim?.assignee === 'ann');

    // the first one answers and deletes, the other one's followers see it; a claim held by somebody keeps nobody from answering
    await one.send(ids[1], 'blue');
    await one.graphql(`mutation { deleteSession(sessionId: "${ids[2]}") { __typename } }`);
    await list.has(later);
    const left = (await next.graphql(LIST)).inbox.nodes;
    expect(left.map(({ session }: { session: { id: string } }) => session.id)).toEqual([later]);
  }, 120_000);

  async function beside(one: World): Promise<World> {
    const secrets = { HOLDFAST_SECRETS: join(one.folder, 'data') };
    const world = await World.open({ ...SCRIPTS, ...one.store, ...secrets }, store);
    worlds.push(world);
    return world;
  }
});

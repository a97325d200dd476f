/**
 * A real browser: GraphiQL without a network, and a page that follows a session over its own WebSocket, drops it, and resumes.
 * Needs chromium: CI installs it (.ci/run); elsewhere the tests say what to type.
 */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World } from '../support/world.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const isCi = (process.env['CI'] ?? '') !== '';
if (CHROMIUM === undefined && !isCi) {
  process.stdout.write(
    'The browser tests are not run: there is no chromium. Type: sudo apt-get install chromium\n',
  );
}

describe.runIf(CHROMIUM !== undefined || isCi)('a browser', () => {
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await World.open();
    await world.createAgent({ name: 'echo', model: 'rehearsal/echo' });
    browser = await chromium.launch({
      executablePath: CHROMIUM ?? 'chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    });
  });
  afterAll(async () => {
    await browser.close();
    await world.close();
  });

  it('shows GraphiQL without asking any other server', async () => {
    const page = await browser.newPage();
    const asked: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`${world.url}/graphql`);
    await page.waitForSelector('.graphiql-container');
    // Its editor is there with its colours, and its workers, made of blobs, answer.
    await page.waitForSelector('.graphiql-query-editor .view-line .mtk1');
    await page.waitForFunction(() => document.fonts.status === 'loaded');

    expect(complaints.filter((text) => text.includes('Content Security Policy'))).toEqual([]);
    expect(asked.filter((url) => url.startsWith('http') && !url.startsWith(world.url))).toEqual([]);
    await page.close();
  });

  it('follows a session with a client token, drops the socket after each batch, and misses nothing', async () => {
    const { startSession } = await world.graphql(
      `mutation { startSession(input: { agent: "echo", input: "hello" }) {
        ... on StartSessionPayload { session { id } clientToken { token } } } }`,
    );
    const page = await browser.newPage();
    await page.goto(`${world.url}/healthz`);
    const seqs = await page.evaluate(followInPage, {
      url: `${world.url.replace('http', 'ws')}/graphql`,
      id: startSession.session.id as string,
      token: startSession.clientToken.token as string,
    });

    expect(seqs).toEqual(seqs.map((_: number, index: number) => index + 1));
    expect(seqs.length).toBeGreaterThanOrEqual(7);
    await page.close();
  });
});

/** Runs in the page. The protocol is graphql-transport-ws as its PROTOCOL.md has it. */
async function followInPage({
  url,
  id,
  token,
}: {
  url: string;
  id: string;
  token: string;
}): Promise<number[]> {
  const query =
    'subscription ($id: ID!, $after: Cursor) { sessionEvents(sessionId: $id, after: $after) { ... on EventBatch { cursor events { seq type } } } }';
  const seqs: number[] = [];
  let after: string | undefined;
  for (;;) {
    const batch = await new Promise<{ cursor: string; events: readonly { seq: number; type: string }[] }>(
      (resolve) => {
        const socket = new WebSocket(url, 'graphql-transport-ws');
        const init = { type: 'connection_init', payload: { authorization: `Bearer ${token}` } };
        socket.addEventListener('open', () => socket.send(JSON.stringify(init)));
        socket.addEventListener('message', ({ data }) => {
          const message = JSON.parse(data as string);
          if (message.type === 'connection_ack') {
            socket.send(
              JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { id, after } } }),
            );
          }
          const frame = message.payload?.data?.sessionEvents;
          if (message.type !== 'next' || frame?.events === undefined) return;
          socket.close();
          resolve(frame); // the first one counts
        });
      },
    );
    for (const event of batch.events) seqs.push(event.seq);
    after = batch.cursor;
    if (batch.events.some(({ type }) => type === 'turn.completed')) return seqs;
  }
}

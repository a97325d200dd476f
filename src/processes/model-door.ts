/** Which model service a session's calls go to: its provider's with the session's key, or the built-in rehearsal without one. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { must } from '../kernel/assert.ts';
import { systemClock } from '../kernel/clock.ts';
import { Sealed } from '../kernel/sealed.ts';
import type { SessionId } from '../kernel/id.ts';
import { systemScheduler } from '../kernel/scheduler.ts';
import type { Scope } from '../kernel/scope.ts';
import { type AccountPorts, sessionAccount } from '../models/account.ts';
import { Gateway, type GatewayPorts } from '../models/gateway.ts';
import { LoopShare } from '../models/loop-share.ts';
import { startRehearsal } from '../rehearsal/rehearsal.ts';
import { loadScripts, OWN_SCRIPTS } from '../rehearsal/script-folder.ts';
import { ScriptInvalid } from '../rehearsal/script-field.ts';
import type { Script } from '../rehearsal/script.ts';
import { type Provider, providerEntry, providers } from '../secrets/provider-table.ts';
import { type ModelProvider, parseModel } from '../sessions/model-name.ts';
import { CALL_HEADER } from '../sessions/unit-wire.ts';
import type { Config } from './config.ts';
import { StartRefused } from './start-refused.ts';

export type ModelDoor = (
  request: IncomingMessage,
  response: ServerResponse,
  sessionId: SessionId,
) => Promise<void>;

export async function createModelDoor(
  config: Config,
  ports: Omit<AccountPorts, 'serverKeys' | 'contextWindows'>,
  scope: Scope,
): Promise<ModelDoor> {
  const serverKeys: Record<string, Sealed | undefined> = {};
  for (const provider of providers()) serverKeys[provider] = config.providers[provider].key;
  const account = sessionAccount({ ...ports, serverKeys, contextWindows: config.contextWindows });
  const scripts = [...(await loadScripts(OWN_SCRIPTS)), ...(await ownScripts(config.rehearsalFolder))];
  const rehearsal = scope.add(
    'rehearsal',
    await startRehearsal({ port: 0, host: '127.0.0.1', scripts, strict: config.rehearsalStrict }),
    (it) => it.close(),
  );
  const loop = new LoopShare({ clock: systemClock, scheduler: systemScheduler });
  const gateways = new Map<ModelProvider, Gateway>([
    ['rehearsal', rehearsalGateway(account, rehearsal.url, loop)],
  ]);
  for (const provider of providers())
    gateways.set(provider, providerGateway(provider, config, { account, loop }));
  for (const [name, gateway] of gateways) scope.add(`gateway ${name}`, gateway, (it) => it.close());
  return async (request, response, sessionId) => {
    const { session } = await ports.sessions.get(sessionId);
    const callId = String(request.headers[CALL_HEADER] ?? '');
    const { method = '', url: path = '', headers } = request;
    const { provider } = parseModel(session.model);
    const gateway = must(gateways.get(provider), 'every provider has a gateway');
    await gateway.forward({ sessionId, callId, method, path, headers, body: request }, response);
  };
}

function providerGateway(
  provider: Provider,
  config: Config,
  { account, loop }: { readonly account: GatewayPorts; readonly loop: LoopShare },
): Gateway {
  const { protocol, auth } = providerEntry(provider);
  const upstream = new URL(config.providers[provider].baseUrl);
  switch (protocol) {
    case 'anthropic-messages':
      return new Gateway(account, { upstream, auth, loop });
  }
}

function rehearsalGateway(account: GatewayPorts, url: string, loop: LoopShare): Gateway {
  const keyFor = async (): Promise<Sealed> => new Sealed('rehearsal');
  return new Gateway({ ...account, keyFor }, { upstream: new URL(url), loop });
}

/** A later script of the same name replaces an earlier one, so users can play their own `echo`. Throws StartRefused. */
async function ownScripts(folder: string | undefined): Promise<readonly Script[]> {
  if (folder === undefined) return [];
  try {
    return await loadScripts(folder);
  } catch (cause) {
    const why =
      cause instanceof ScriptInvalid ? cause.message : `the folder cannot be read (${String(cause)})`;
    throw new StartRefused(
      `HOLDFAST_REHEARSAL=${folder}: ${why} docs/rehearsal.md says how a script is written.`,
      {
        cause,
      },
    );
  }
}

/** Which model service a session's calls go to: Anthropic's with the session's key, or the built-in rehearsal without one. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Sealed } from '../kernel/sealed.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Scope } from '../kernel/scope.ts';
import { type AccountPorts, sessionAccount } from '../models/account.ts';
import { Gateway } from '../models/gateway.ts';
import { startRehearsal } from '../rehearsal/rehearsal.ts';
import { loadScripts, OWN_SCRIPTS } from '../rehearsal/script-folder.ts';
import { ScriptInvalid } from '../rehearsal/script-field.ts';
import type { Script } from '../rehearsal/script.ts';
import { parseModel } from '../sessions/model-name.ts';
import { CALL_HEADER } from '../sessions/unit-wire.ts';
import type { Config } from './config.ts';
import { StartRefused } from './start-refused.ts';

export type ModelDoor = (
  request: IncomingMessage,
  response: ServerResponse,
  sessionId: SessionId,
) => Promise<void>;

export async function createModelDoor(config: Config, ports: AccountPorts, scope: Scope): Promise<ModelDoor> {
  const account = sessionAccount(ports);
  const scripts = [...(await loadScripts(OWN_SCRIPTS)), ...(await ownScripts(config.rehearsalFolder))];
  const rehearsal = scope.add(
    'rehearsal',
    await startRehearsal({ port: 0, host: '127.0.0.1', scripts, strict: config.rehearsalStrict }),
    (it) => it.close(),
  );
  const gateways = {
    anthropic: new Gateway(account, { upstream: new URL(config.anthropic.baseUrl) }),
    rehearsal: new Gateway(
      { ...account, keyFor: async () => new Sealed('rehearsal') },
      { upstream: new URL(rehearsal.url) },
    ),
  };
  for (const [name, gateway] of Object.entries(gateways))
    scope.add(`gateway ${name}`, gateway, (it) => it.close());
  return async (request, response, sessionId) => {
    const { session } = await ports.sessions.get(sessionId);
    const callId = String(request.headers[CALL_HEADER] ?? '');
    const { method = '', url: path = '', headers } = request;
    const { provider } = parseModel(session.model);
    await gateways[provider].forward({ sessionId, callId, method, path, headers, body: request }, response);
  };
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

/** A command as an action: what the kinds whose weapon is one have in common. */
import type { Dice } from '../simulate/dice.ts';
import type { Ground } from './ground.ts';
import type { Action } from './kind.ts';

/** One of the commands, by the dice; `after` cleans up. The turn must end, whatever the command does. */
export function commandAction(
  { dice, ground, timeoutMs }: { readonly dice: Dice; readonly ground: Ground; readonly timeoutMs: number },
  commands: Readonly<Record<string, (ground: Ground) => string>>,
  after?: string,
): Action {
  const name = dice.pick(Object.keys(commands));
  return {
    told: `command: ${name}`,
    async run() {
      const ms = Math.min(timeoutMs, ground.callMsMax);
      const end = await ground.command(commands[name]?.(ground) ?? '', ms);
      if (end.outcome === 'GIVEN_UP')
        ground.tally.found(`a turn did not end after its call's deadline: ${name}`);
      if (after !== undefined) await ground.command(after, timeoutMs);
    },
  };
}

/** A model service that repeats the key, in any form and place, or that hangs, cuts, floods and lies. */
import type { Dice } from '../../simulate/dice.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';
import { FORMS, MISDEEDS, type ModelScript, PLACES } from '../model-script.ts';

/** A service that fails is called again; what is not over by then is cancelled, which must end it. */
const TURN_MS_MAX = 6_000;
const CANCELED_MS_MAX = 20_000;

export const modelAnswers: Kind = {
  name: 'model answers',
  attacks: 'a model service that repeats its key, hangs, cuts, floods and lies',
  atOnce: 3,
  few: 12,
  action(dice: Dice, ground: Ground): Action {
    const script = scriptOf(dice);
    return {
      told: JSON.stringify(script),
      async run() {
        const { outcome, sessionId, turnId } = await ground.turn(
          script,
          Math.min(TURN_MS_MAX, ground.callMsMax),
        );
        ground.tally.heard(200, `"code":"TURN_${outcome}"`);
        if (outcome !== 'GIVEN_UP') return;
        if (!(await ground.isOver(sessionId, turnId, CANCELED_MS_MAX)))
          ground.tally.found(`a turn that was cancelled did not end: ${JSON.stringify(script)}`);
      },
    };
  },
};

function scriptOf(dice: Dice): ModelScript {
  if (dice.hits(0.6)) return { kind: 'repeat', form: dice.pick(FORMS), place: dice.pick(PLACES) };
  return { kind: 'misbehave', how: dice.pick(MISDEEDS) };
}

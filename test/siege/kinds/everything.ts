/** Actions of all kinds at the same time, each by its own dice. */
import type { Dice } from '../../simulate/dice.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

export function everything(kinds: readonly Kind[]): Kind {
  return {
    name: 'everything',
    attacks: 'actions of all kinds at the same time',
    atOnce: 8,
    few: 10,
    takesCpu: true,
    action(dice: Dice, ground: Ground): Action {
      const kind = dice.pick(kinds);
      const { told, run } = kind.action(dice, ground);
      return { told: `${kind.name}: ${told}`, run };
    },
  };
}

/** One kind of hostile use: a file in kinds/, and a line in kinds.ts. */
import type { Dice } from '../simulate/dice.ts';
import type { Ground } from './ground.ts';

export interface Action {
  /** One line that says what is about to be done: the report of a failure ends with the last of them. */
  readonly told: string;
  run(): Promise<void>;
}

export interface Kind {
  readonly name: string;
  /** One sentence for the table. */
  readonly attacks: string;
  /** Actions that run at the same time. */
  readonly atOnce: number;
  /** Actions in the short form, which runs with the tests. */
  readonly few: number;
  /**
   * True when its weapon is the processor: the reference process then suffers as well and must not excuse the server. Its
   * share is what the limits of commands are for.
   */
  readonly takesCpu?: boolean;
  /** Decides by the dice alone, so that seed and number of an action are that action again. */
  action(dice: Dice, ground: Ground): Action;
}

/**
 * What waits, by who has used least (start-time fair queueing: Goyal, Vin and Cheng, SIGCOMM 1996): of the owners the one who has been
 * charged least is next, and of that owner the part, for example the session, that has. Who comes anew begins where the others are, so
 * nobody saves up, and whoever has just used much waits behind those who use little.
 */

/** What is next, and how its owner pays for it: to be called once, when it is known what it has used. */
export interface Next<Item> {
  readonly item: Item;
  charge(used: number): void;
}

export class FairQueue<Item> {
  readonly #owners = new Shares<Shares<Item[]>>((parts) => parts.isEmpty);

  /** How many wait. */
  size = 0;

  /** Answers what takes it off again. */
  push(owner: string, part: string, item: Item): () => void {
    const parts = this.#owners.of(owner, () => new Shares<Item[]>((items) => items.length === 0)).value;
    const items = parts.of(part, () => []).value;
    items.push(item);
    this.size += 1;
    return () => {
      const at = items.indexOf(item);
      if (at < 0) return;
      items.splice(at, 1);
      this.size -= 1;
    };
  }

  /** Undefined when nothing waits. */
  take(): Next<Item> | undefined {
    const owner = this.#owners.least();
    const part = owner?.value.least();
    const item = part?.value.shift();
    if (owner === undefined || part === undefined || item === undefined) return undefined;
    this.size -= 1;
    return {
      item,
      charge(used) {
        owner.used += used;
        part.used += used;
      },
    };
  }
}

interface Share<Value> {
  readonly value: Value;
  used: number;
}

/** Those of one level, by name. */
class Shares<Value> {
  readonly #isIdle: (value: Value) => boolean;
  readonly #shares = new Map<string, Share<Value>>();
  /** What the one that was taken last had used: who comes anew begins here. */
  #level = 0;

  constructor(isIdle: (value: Value) => boolean) {
    this.#isIdle = isIdle;
  }

  get isEmpty(): boolean {
    for (const { value } of this.#shares.values()) if (!this.#isIdle(value)) return false;
    return true;
  }

  of(name: string, make: () => Value): Share<Value> {
    const known = this.#shares.get(name);
    if (known !== undefined) {
      if (this.#isIdle(known.value)) known.used = Math.max(known.used, this.#level);
      return known;
    }
    const made = { value: make(), used: this.#level };
    this.#shares.set(name, made);
    return made;
  }

  /** Of those who wait, the first of those who have used least. Who waits for nothing is forgotten when all others have used as much. */
  least(): Share<Value> | undefined {
    let least: Share<Value> | undefined;
    for (const [name, share] of this.#shares) {
      if (!this.#isIdle(share.value)) {
        if (least === undefined || share.used < least.used) least = share;
      } else if (share.used <= this.#level) this.#shares.delete(name);
    }
    if (least === undefined)
      this.#shares.clear(); // nobody waits: nobody owes anything
    else this.#level = least.used;
    return least;
  }
}

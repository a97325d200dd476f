/** The groups of followers that there are now, by what they share. Authorisation is decided before a follower comes here. */
import { Group, type GroupPorts, type Member, type Wanted } from './group.ts';

export class Fanout {
  readonly #ports: GroupPorts;
  readonly #groups = new Map<string, Group>();

  constructor(ports: GroupPorts) {
    this.#ports = ports;
  }

  /** How many groups read a log now: none is left behind when the last follower has gone. */
  get size(): number {
    return this.#groups.size;
  }

  /** The group that the member has joined; undefined when it must read on first. `sort`: the kind of its principal. */
  async join(member: Member, wanted: Wanted, sort: string): Promise<Group | undefined> {
    const key = keyOf(wanted, sort);
    const group = this.#groups.get(key) ?? this.#open(key, wanted, member.seq);
    if (await group.join(member)) return group;
    group.remove(member); // a group that nobody joined must not go on
    return undefined;
  }

  #open(key: string, wanted: Wanted, seq: number): Group {
    const group = new Group(this.#ports, wanted, seq, () => {
      if (this.#groups.get(key) === group) this.#groups.delete(key);
    });
    this.#groups.set(key, group);
    return group;
  }
}

/** All that decides what is sent: two who may see different things (TOKEN-4) are never in one group. */
function keyOf({ sessionId, filter, deltas, thinking, renderer }: Wanted, sort: string): string {
  const { level, types, turnId, without } = filter;
  return JSON.stringify([sessionId, level, types, turnId, without, deltas, thinking, sort, renderer.id]);
}

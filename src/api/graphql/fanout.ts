/** The groups of followers that there are now, by what they share. Authorisation is decided before a follower comes here. */
import type { SessionId } from '../../kernel/id.ts';
import type { EventFilter } from '../../journal/event-filter.ts';
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
    const key = keyOf(wanted.sessionId, wanted.filter, wanted.deltas, sort, wanted.renderer.id);
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

function keyOf(
  sessionId: SessionId,
  { level, types, turnId }: EventFilter,
  deltas: boolean,
  sort: string,
  rendererId: string,
): string {
  return JSON.stringify([sessionId, level ?? null, types ?? null, turnId ?? null, deltas, sort, rendererId]);
}

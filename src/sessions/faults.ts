/** What the session use cases refuse, each with nothing changed. No message repeats what was given: it may be a key in the wrong place. */
import { Fault } from '../kernel/fault.ts';

/** The session is closed and can only be read. */
export class SessionArchived extends Fault {
  readonly code = 'SESSION_ARCHIVED';
  readonly sessionId: string;

  constructor(sessionId: string) {
    super(`Session ${sessionId} is archived and can only be read. Start a new session.`);
    this.sessionId = sessionId;
  }
}

/** Too many messages wait for the next turn. */
export class PendingFull extends Fault {
  readonly code = 'PENDING_FULL';

  constructor(count: number) {
    super(`${count} messages already wait for the next turn. Wait until the session has taken them up.`);
  }
}

export class AgentNotFound extends Fault {
  readonly code = 'AGENT_NOT_FOUND';

  constructor() {
    super('There is no such agent here. Create one, or give the id or name of one that exists.');
  }
}

/** An agent of this name exists with another definition. */
export class AgentNameTaken extends Fault {
  readonly code = 'AGENT_NAME_TAKEN';
  readonly agentId: string;

  constructor(agentId: string) {
    super(`An agent of this name exists (${agentId}) and differs. Update that one, or choose another name.`);
    this.agentId = agentId;
  }
}

/** The agent was deleted: it starts no sessions and is not changed any more. */
export class AgentGone extends Fault {
  readonly code = 'AGENT_GONE';
  readonly agentId: string;

  constructor(agentId: string) {
    super(`Agent ${agentId} was deleted: it starts no sessions and cannot be changed. Name another agent.`);
    this.agentId = agentId;
  }
}

/** A session of the agent is queued or running. */
export class AgentInUse extends Fault {
  readonly code = 'AGENT_IN_USE';
  readonly agentId: string;
  readonly sessionId: string;

  constructor(agentId: string, sessionId: string) {
    super(
      `Session ${sessionId} of agent ${agentId} is queued or running. Wait until it rests, cancel its turn, or delete the agent with force: its queued and running sessions are archived then.`,
    );
    this.agentId = agentId;
    this.sessionId = sessionId;
  }
}

/** No key for the model's provider can be found. */
export class NoCredential extends Fault {
  readonly code = 'NO_CREDENTIAL';

  constructor(provider: string) {
    super(`There is no key for ${provider}: create a credential, or give the agent one.`);
  }
}

export class TurnNotFound extends Fault {
  readonly code = 'TURN_NOT_FOUND';

  constructor(turn: string) {
    super(`There is no turn ${turn} in this session.`);
  }
}

export class EventNotFound extends Fault {
  readonly code = 'EVENT_NOT_FOUND';

  constructor(event: string) {
    super(`There is no event ${event} in this session.`);
  }
}

/** To the brain: the turn it works on is over or another one runs; it reads the log again. */
export class TurnOver extends Fault {
  readonly code = 'TURN_OVER';

  constructor() {
    super('This turn is not running any more. Read the log again.');
  }
}

/** To the brain: somebody steered while it was finishing; it makes another model call. */
export class InputPending extends Fault {
  readonly code = 'INPUT_PENDING';

  constructor() {
    super('A message has joined this turn that the model has not seen. Make another model call.');
  }
}

/** Somebody else looks after it. */
export class AlreadyClaimed extends Fault {
  readonly code = 'ALREADY_CLAIMED';
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly until: number;

  constructor(by: string, until: number) {
    super(
      `This request is claimed until ${new Date(until).toISOString()}. Take another one, wait until then, or have it released.`,
    );
    this.by = by;
    this.until = until;
  }
}

/** What was to be claimed does not wait any more: it was answered, or its turn is over. */
export class RequestGone extends Fault {
  readonly code = 'REQUEST_GONE';
  readonly requestId: string;

  constructor(requestId: string) {
    super('Nothing waits under this id in this session any more. Read the inbox again.');
    this.requestId = requestId;
  }
}

/**
 * The port for inboxes: which sessions of an organisation wait for people, and what of that has changed. Contract: test/contracts/inbox-store.ts.
 *
 * INBOX-2 What neither waits nor has waited is in neither list: however many sessions there are and change, they cost nothing here.
 * INBOX-3 Each change of what a session waits for (waits.ts WAIT-1), its deletion too, has a place, and is found by whoever asks for what comes
 *    after an earlier one. A place is given by the store, on one scale for all servers, whatever their clocks say. A change may become
 *    visible behind places that were seen, by no more than `overlap`: who goes on from a place asks from so much before it.
 */
import type { AgentId, OrganisationId, SessionId } from '../kernel/id.ts';
import type { SessionEntry } from './session-store.ts';

export interface WaitingPage {
  readonly limit: number;
  readonly agentId?: AgentId | undefined;
  /** From there on: that one included, since a session has several requests. */
  readonly from?: { readonly since: number; readonly id: SessionId } | undefined;
}

export interface WaitsChange {
  readonly sessionId: SessionId;
  readonly place: number;
  /** Of the record (waits.ts); absent: the session was deleted. */
  readonly seq?: number | undefined;
}

export interface ChangesPage {
  readonly limit: number;
  /** Only those behind it. The id tells those of one place apart; absent: all of that place are behind it. */
  readonly after: { readonly place: number; readonly id?: SessionId | undefined };
}

export interface InboxStore {
  /** INBOX-3. 0: each change is visible before a later place is given. */
  readonly overlap: number;

  /** Sessions that wait, the one whose oldest request is oldest first, then by id. */
  waiting(organisationId: OrganisationId, page: WaitingPage): Promise<readonly SessionEntry[]>;

  /** By place and id, each session once, at its newest. */
  changes(organisationId: OrganisationId, page: ChangesPage): Promise<readonly WaitsChange[]>;

  /** The last place that was given in this organisation; 0 when there is none. */
  newest(organisationId: OrganisationId): Promise<number>;
}

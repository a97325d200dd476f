/** The GraphQL enums of choice fields: stored values in lower case, GraphQL's in upper case, each with what it means. */
import type { Field } from '../src/journal/event-field.ts';
import { must } from '../src/kernel/assert.ts';
import { builder } from './builder.ts';

const ENUM: Readonly<Record<string, string>> = {
  MessageMode: 'When a message reaches the agent.',
  TurnOutcome: 'How a turn ended.',
  ToolOutcome: 'How a tool call ended.',
  ToolRequestKind: 'What a tool call waits for.',
  ToolResolution: 'What became of a tool call that waited for somebody outside.',
  LogLimit: 'Which cap of a log was reached.',
  SummaryMaker: 'Who wrote a summary of the conversation.',
  Budget: 'A limit that is used up by and by.',
  Repair: 'What was done about something in the conversation that the model service refuses.',
};

const VALUE: Readonly<Record<string, string>> = {
  'MessageMode.queue': 'Waits for the next turn.',
  'MessageMode.steer': 'Joins the running turn at its next model call.',
  'MessageMode.interrupt': 'Ends the running turn now and starts the next.',
  'TurnOutcome.completed': 'The agent answered.',
  'TurnOutcome.needs_input': 'The agent asked something; the next message is the answer.',
  'TurnOutcome.error': 'The model service or the runtime failed for good; the code and message say how.',
  'TurnOutcome.budget_exceeded': 'The session used up its tokens or its money.',
  'TurnOutcome.deadline_exceeded': 'The turn took longer than it may.',
  'TurnOutcome.max_turns': 'The session had all the turns that it may have.',
  'TurnOutcome.canceled': 'Somebody canceled it.',
  'TurnOutcome.interrupted': 'A message with the mode INTERRUPT ended it.',
  'ToolOutcome.ok': 'It did what it was asked.',
  'ToolOutcome.failed': 'It ran and failed; the output says how.',
  'ToolOutcome.timed_out': 'It was stopped at its deadline.',
  'ToolOutcome.canceled': 'It was stopped because the turn was.',
  'ToolOutcome.unknown': 'It may or may not have run: what ran it was lost. It is not run again.',
  'ToolOutcome.denied': 'It was not run: a rule or a person denied it.',
  'ToolRequestKind.approval': 'Somebody has to allow it.',
  'ToolRequestKind.client': 'Somebody outside has to run it and say what came of it.',
  'ToolResolution.approved': 'It may run.',
  'ToolResolution.denied': 'It is not run.',
  'ToolResolution.answered': 'Somebody outside ran it: its result is in the log.',
  'ToolResolution.failed': 'Somebody outside ran it or could not: the reason is its result.',
  'ToolResolution.expired': 'Nobody answered in time.',
  'ToolResolution.canceled': 'Its turn ended before anybody answered.',
  'LogLimit.events': 'The number of events.',
  'LogLimit.bytes': 'The bytes of all bodies.',
  'SummaryMaker.model': 'The model.',
  'SummaryMaker.runtime': 'The runtime, from the log, since the model wrote none.',
  'Budget.tokens': 'Tokens of the whole session.',
  'Budget.cost': 'Money for the model calls of the whole session, in micro-dollars.',
  'Repair.replaced': 'One block goes on in a form that can be sent.',
  'Repair.dropped': 'One block is left out.',
  'Repair.condensed': 'The conversation is condensed without it.',
};

type Choice = NonNullable<Field['choice']>;
const made = new Map<string, ReturnType<typeof enumOf>>();

/** The enum of a choice, made once however many events have it. */
export function choiceEnum(choice: Choice): ReturnType<typeof enumOf> {
  const enumType = made.get(choice.name) ?? enumOf(choice);
  made.set(choice.name, enumType);
  return enumType;
}

function enumOf({ name, values }: Choice) {
  return builder.enumType(name, {
    description: must(ENUM[name], `the enum ${name} has a description`),
    values: Object.fromEntries(
      values.map((value) => {
        const description = must(VALUE[`${name}.${value}`], `${name}.${value} has a description`);
        return [value.toUpperCase(), { value, description }];
      }),
    ),
  });
}

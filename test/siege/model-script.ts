/** What the last message of the user tells the model service of a siege to do. */

export const FORMS = ['plain', 'upper', 'lower', 'escaped', 'base64', 'url', 'most', 'half'] as const;
export const PLACES = [
  'text',
  'pieces',
  'characters',
  'blocks',
  'input',
  'thinking',
  'error event',
  'error body',
  'error page',
  'header',
  'redirect',
  'comment',
  'event name',
  'message id',
  'whole',
] as const;
export const MISDEEDS = [
  'hang',
  'hang in mid-stream',
  'cut',
  'cut before the head',
  'endless line',
  'endless text',
  'endless comments',
  'many blocks',
  'no stream',
  'large header',
  'large error',
  'deep input',
  'large input',
  'garbage',
  'drip',
  'gzip bomb',
] as const;

export interface Call {
  readonly tool: string;
  readonly input: unknown;
}

export type ModelScript =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'call'; readonly calls: readonly Call[] }
  | {
      readonly kind: 'repeat';
      readonly form: (typeof FORMS)[number];
      readonly place: (typeof PLACES)[number];
    }
  | { readonly kind: 'misbehave'; readonly how: (typeof MISDEEDS)[number] };

const MARK = 'siege:';

export function messageOf(script: ModelScript): string {
  return MARK + JSON.stringify(script);
}

export function scriptOf(message: string): ModelScript {
  if (!message.startsWith(MARK)) return { kind: 'say', text: 'Well.' };
  return JSON.parse(message.slice(MARK.length)) as ModelScript; // messageOf() wrote it
}

/** A model service that says the key that it was called with: in every form, at every place of an answer. */
import type { ServerResponse } from 'node:http';
import type { FORMS, PLACES } from './model-script.ts';
import { begin, end, event, stream, textBlock, write, writeBlock } from './model-stream.ts';

type Form = (typeof FORMS)[number];
type Place = (typeof PLACES)[number];

export function repeatKey(
  response: ServerResponse,
  key: string,
  form: Form,
  place: Place,
): Promise<void> | void {
  const said = written(key, form);
  const pieces = (count: number): readonly string[] => cut(said, count, form);
  switch (place) {
    case 'text':
      return stream(response, [rawText([`The key is ${said}.`])], 'end_turn');
    case 'pieces':
      return stream(response, [rawText(pieces(3))], 'end_turn');
    case 'characters':
      return stream(response, [rawText(pieces(key.length))], 'end_turn');
    case 'blocks':
      return stream(
        response,
        pieces(2).map((piece) => rawText([piece])),
        'end_turn',
      );
    case 'input': {
      const command = JSON.stringify(JSON.stringify({ command: 'echo ' })).slice(1, -4);
      const deltas = [command, ...pieces(4).map((piece) => piece.replaceAll('\\', '\\\\')), '\\"}'];
      const start = { type: 'tool_use', id: 'toolu_siegekey', name: 'bash', input: {} };
      return stream(response, [{ start, deltas: deltas.map(inputDelta) }], 'tool_use');
    }
    case 'thinking': {
      const deltas = [
        ...pieces(2).map((piece) => `{"type":"thinking_delta","thinking":"${piece}"}`),
        `{"type":"signature_delta","signature":"${said}"}`,
      ];
      const start = { type: 'thinking', thinking: '', signature: '' };
      return stream(response, [{ start, deltas }, textBlock(['So.'])], 'end_turn');
    }
    default:
      return outsideText(response, said, place);
  }
}

function outsideText(
  response: ServerResponse,
  said: string,
  place: Exclude<Place, 'text' | 'pieces' | 'characters' | 'blocks' | 'input' | 'thinking'>,
): Promise<void> | void {
  const error = `{"type":"error","error":{"type":"invalid_request_error","message":"not with ${said}"}}`;
  switch (place) {
    case 'error event':
      return begin(response)
        .then(() => write(response, `event: error\ndata: ${error}\n\n`))
        .then(() => void response.end());
    case 'error body':
      response.writeHead(401, { 'content-type': 'application/json' });
      return void response.end(error);
    case 'error page':
      response.writeHead(400, { 'content-type': 'text/html' });
      return void response.end(`<html>${said}</html>`);
    case 'header':
      response.setHeader('request-id', said);
      response.setHeader('x-repeated', said);
      return stream(response, [textBlock(['In the head.'])], 'end_turn');
    case 'redirect':
      response.writeHead(307, { location: `/${encodeURIComponent(said)}` });
      return void response.end();
    case 'comment':
      return begin(response)
        .then(() => write(response, `: ${said}\n\n`))
        .then(() => writeBlock(response, 0, textBlock(['Beside.'])))
        .then(() => end(response, 'end_turn'));
    case 'event name':
      return begin(response)
        .then(() => event(response, said.replaceAll('\\', '-'), { index: 0 }))
        .then(() => end(response, 'end_turn'));
    case 'message id':
      return stream(response, [textBlock(['By name.'])], 'end_turn', said.replaceAll('\\', '-'));
    case 'whole':
      response.writeHead(200, { 'content-type': 'application/json' });
      return void response.end(`{"type":"message","content":[{"type":"text","text":"${said}"}]}`);
  }
}

/** As it stands between the quotes of JSON. */
function written(key: string, form: Form): string {
  switch (form) {
    case 'plain':
      return key;
    case 'upper':
      return key.toUpperCase();
    case 'lower':
      return key.toLowerCase();
    case 'escaped':
      return Array.from(key, escaped).join('');
    case 'base64':
      return Buffer.from(key).toString('base64');
    case 'url':
      return Array.from(key, (one) => `%${hex(one).padStart(2, '0')}`).join('');
    case 'most':
      return key.slice(3);
    case 'half':
      return key.slice(8, 28);
  }
}

function escaped(character: string): string {
  return `\\u${hex(character).padStart(4, '0')}`;
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16);
}

/** Into about so many pieces, never within an escape: that would be no JSON. */
function cut(said: string, count: number, form: Form): readonly string[] {
  const unit = form === 'escaped' ? 6 : 1;
  const size = Math.max(1, Math.ceil(said.length / unit / count)) * unit;
  return Array.from({ length: Math.ceil(said.length / size) }, (_, at) =>
    said.slice(at * size, (at + 1) * size),
  );
}

function rawText(pieces: readonly string[]): { start: object; deltas: readonly string[] } {
  return {
    start: { type: 'text', text: '' },
    deltas: pieces.map((piece) => `{"type":"text_delta","text":"${piece}"}`),
  };
}

function inputDelta(json: string): string {
  return `{"type":"input_json_delta","partial_json":"${json}"}`;
}

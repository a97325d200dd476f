/**
 * The tools as the release had them that did not write them into the log (commit d3f00fe). Sessions of that time go on with these
 * very bytes until they are condensed: thinking is bound to the tools that it was thought with, and the cached prefix begins with
 * them. Never edit this; test/brain/toolbox.test.ts holds its hash.
 */
import type { ToolSpec } from './model.ts';

export const TOOLBOX_BEFORE_PINNING: readonly ToolSpec[] = [
  {
    name: 'bash',
    description:
      'Run a command with bash in /workspace. Answers its output (stdout and stderr together) and exit code; long output keeps its head and tail.',
    schema: {
      type: 'object',
      properties: {
        command: {
          type: 'string',
          description: 'The command line.',
        },
        timeout_ms: {
          type: 'integer',
          description: 'Milliseconds until it is killed; 120000 if left out.',
        },
      },
      required: ['command'],
    },
  },
  {
    name: 'read',
    description: 'Read a text file; answers its lines, numbered.',
    schema: {
      type: 'object',
      properties: {
        path: {
          type: 'string',
          description: 'Path, absolute or relative to /workspace.',
        },
        offset: {
          type: 'integer',
          description: 'First line to read; 1 if left out.',
        },
        limit: {
          type: 'integer',
          description: 'How many lines to read.',
        },
      },
      required: ['path'],
    },
  },
  {
    name: 'write',
    description: 'Write a file, making its folders; what was there is replaced.',
    schema: {
      type: 'object',
      properties: {
        path: {
          type: 'string',
          description: 'Path, absolute or relative to /workspace.',
        },
        content: {
          type: 'string',
          description: 'The whole content.',
        },
      },
      required: ['path', 'content'],
    },
  },
  {
    name: 'edit',
    description: 'Replace a text in a file. The old text must be there exactly once, unless all is true.',
    schema: {
      type: 'object',
      properties: {
        path: {
          type: 'string',
          description: 'Path, absolute or relative to /workspace.',
        },
        old: {
          type: 'string',
          description: 'The text to be replaced, with enough around it to be unique.',
        },
        'new': {
          type: 'string',
          description: 'The text that takes its place.',
        },
        all: {
          type: 'boolean',
          description: 'Replace every occurrence.',
        },
      },
      required: ['path', 'old', 'new'],
    },
  },
  {
    name: 'list',
    description: 'List a folder.',
    schema: {
      type: 'object',
      properties: {
        path: {
          type: 'string',
          description: 'The folder; /workspace if left out.',
        },
      },
      required: [],
    },
  },
  {
    name: 'grep',
    description:
      'Search files for a regular expression; answers matching lines with path and line number. Skips binary files and folders named .git and node_modules.',
    schema: {
      type: 'object',
      properties: {
        pattern: {
          type: 'string',
          description: 'An extended regular expression.',
        },
        path: {
          type: 'string',
          description: 'File or folder to search; /workspace if left out.',
        },
      },
      required: ['pattern'],
    },
  },
  {
    name: 'ask',
    description:
      'Ask the user a question that you cannot answer yourself, and stop until they answer. Use it only when you cannot go on without.',
    schema: {
      type: 'object',
      properties: {
        question: {
          type: 'string',
          description: 'The question, complete in itself.',
        },
      },
      required: ['question'],
    },
  },
];

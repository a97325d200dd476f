/**
 * The tools of the hands, in a fixed order: it is part of the cached prefix of every model request. The brain takes the
 * names, descriptions and schemas from here; importing it loads no process or file system code.
 */
import type { Tool } from './tool.ts';
import { bashTool } from './tools/bash.ts';
import { editTool } from './tools/edit.ts';
import { grepTool } from './tools/grep.ts';
import { listTool } from './tools/list.ts';
import { readTool } from './tools/read.ts';
import { writeTool } from './tools/write.ts';

export const HANDS_TOOLS: readonly Tool[] = [bashTool, readTool, writeTool, editTool, listTool, grepTool];

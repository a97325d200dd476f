/** The blocks of a message and the fields of each, as the types of @anthropic-ai/sdk 1.12 have them (ContentBlockParam). */
const result = (...more: readonly string[]) => ['tool_use_id', 'content', 'cache_control', ...more];

export const BLOCK_FIELDS: Readonly<Record<string, readonly string[]>> = {
  text: ['text', 'cache_control', 'citations'],
  image: ['source', 'cache_control', 'transformations'],
  document: ['source', 'cache_control', 'citations', 'context', 'title'],
  search_result: ['source', 'title', 'content', 'cache_control', 'citations'],
  thinking: ['thinking', 'signature'],
  redacted_thinking: ['data'],
  tool_use: ['id', 'name', 'input', 'cache_control', 'caller', 'toolset_name'],
  tool_result: result('is_error', 'toolset_name'),
  server_tool_use: ['id', 'name', 'input', 'cache_control', 'caller'],
  web_search_tool_result: result('caller'),
  web_fetch_tool_result: result('caller'),
  code_execution_tool_result: result(),
  bash_code_execution_tool_result: result(),
  text_editor_code_execution_tool_result: result(),
  tool_search_tool_result: result(),
  container_upload: ['file_id', 'cache_control'],
};

/** What may stand in a tool result. */
export const RESULT_BLOCKS: readonly string[] = [
  'text',
  'image',
  'search_result',
  'document',
  'tool_reference',
  'browser_state',
];

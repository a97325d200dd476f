/** Every rule about the body of a request, in the order in which a request is held against them. */
import type { RequestRule } from '../request-rule.ts';
import type { ServiceRequest } from '../service-request.ts';
import { BODY_RULES, SIZE_RULES } from './body.ts';
import { CACHE_RULES } from './cache.ts';
import { IMAGE_RULES } from './images.ts';
import { ENDING_RULES, MESSAGE_RULES } from './messages.ts';
import { THINKING_RULES, PRESERVED_RULES } from './thinking.ts';
import { CALL_RULES } from './tool-calls.ts';
import { TOOL_RULES } from './tools.ts';

/** First the form of each part, then how the parts belong together: what the service's own refusals show of its order. */
export const REQUEST_RULES: readonly RequestRule<ServiceRequest>[] = [
  ...BODY_RULES,
  ...THINKING_RULES,
  ...TOOL_RULES,
  ...CACHE_RULES,
  ...MESSAGE_RULES,
  ...IMAGE_RULES,
  ...CALL_RULES,
  ...PRESERVED_RULES,
  ...ENDING_RULES,
  ...SIZE_RULES,
];

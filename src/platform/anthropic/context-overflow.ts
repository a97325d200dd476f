/**
 * Whether a service says that a request is longer than the model's context. Hardly one has a word of its own for it, so it is
 * recognised by its sentences; whoever does not know one of them sends an ever longer conversation for good.
 */

const SAID: readonly RegExp[] = [
  /prompt is too long/, // Messages API: "prompt is too long: 215034 tokens > 200000 maximum"; Fireworks
  /input length and .{0,20}max_tokens.{0,20} exceed context limit/, // Messages API
  /input is too long for (the )?requested model/, // Bedrock (bedrock-chat #95, continue #9592)
  /context[ _-]?length[ _-]?exceeded|context[ _-]?window[ _-]?exceeded|contextwindowexceeded/, // OpenAI, Azure, z.ai, LiteLLM
  /exceed_context_size|context size has been exceeded/, // llama.cpp #15780, LM Studio
  /maximum (context|prompt|model) length/, // OpenAI, vLLM, OpenRouter, DeepSeek, xAI, Mistral
  /(exceeds?|exceeded|exceeding|over|beyond|longer than|larger than|greater than|too long for|too large for)( the| of| this)*( model'?s?)?( maximum| max| configured| available| allowed| total)* ?(input )?(context|n_ctx)( length| size| window| limit)?\b/, // OpenAI, llama.cpp, LM Studio, Ollama, Together
  /exceeds? (the )?maximum (allowed )?input length/, // Together, Databricks
  /context (window|length|size) (exceeds|exceeded|is only|limit)/, // MiniMax, Copilot
  /configured context size is/, // DS4
  /input tokens? (count |length )?(\(?\d[\d,]*\)? )?(exceeds?|is|of)\b.{0,60}(maximum|supports|max model len|limit)/, // Vertex, Gemini, SGLang, OpenAI ("Input tokens exceed the configured limit")
  /prompt token count of \d+ exceeds/, // Copilot
  /exceeded model token limit/, // Kimi
  /reduce the length of (the|your) (messages|prompt|input)/, // Groq, Cerebras
  /range of input length should be/, // DashScope
  /too many (input |prompt )?tokens\b(?!.{0,40}(per|in) )/, // Cohere and others
  /inputs?[`'"]? tokens \+ .{0,20}max_new_tokens/, // TGI
  /prompt exceeds max(imum)? length/, // z.ai
  /trying to keep the first \d+ tokens|context length of only \d+/, // LM Studio
  /expected maxlength: \d+, actual: \d+/, // Bedrock
  /input tokens \d+ cannot exceed/, // watsonx
];
/** A limit of the rate, not of one request: Groq says even "Request too large for model … on tokens per minute (TPM)". */
const RATE = /(per|a|each)[ _-](second|minute|hour|day|month)|\b[tr]p[md]\b|rate[ _-]?limit|quota/;
/** A limit of the answer, not of the request: Bedrock's "The maximum tokens you requested exceeds the model limit". */
const ANSWER = /max_tokens: \d+ >|maximum allowed number of output tokens|maximum tokens you requested/;

/** `words`: all that the error says, its type and code with it. */
export function isContextOverflow(words: string): boolean {
  const said = words.toLowerCase();
  if (speaksOfRate(said) || ANSWER.test(said)) return false;
  return SAID.some((sentence) => sentence.test(said));
}

export function speaksOfRate(words: string): boolean {
  return RATE.test(words.toLowerCase());
}

/** Rules about images, in messages and in tool results. */
import { type Fields, isFields } from '../json-value.ts';
import type { RequestRule, Values } from '../request-rule.ts';
import { contentBlocks, type ServiceRequest } from '../service-request.ts';

type ImageRule = RequestRule<ServiceRequest>;

const SOURCES: readonly unknown[] = ['base64', 'url', 'file'];
const MEDIA_TYPES: readonly unknown[] = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const IMAGE_BYTES_MAX = 10 * 1024 * 1024;

interface PlacedImage {
  readonly path: string;
  readonly source: Fields;
}

export const IMAGE_RULES: readonly ImageRule[] = [
  ofImages({
    id: 'image.source',
    refuses: 'an image that comes neither as base64 nor by URL nor as a file',
    message:
      "{path}.image.source: Input tag '{type}' found using 'type' does not match any of the expected tags: 'base64', 'url', 'file'",
    source: 'Vision',
    breaks: ({ type }) => !SOURCES.includes(type),
  }),
  ofImages({
    id: 'image.media_type',
    refuses: 'an image that is not JPEG, PNG, GIF or WebP',
    message:
      "{path}.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'",
    source: 'Vision',
    breaks: ({ type, media_type: mediaType }) => type === 'base64' && !MEDIA_TYPES.includes(mediaType),
  }),
  ofImages({
    id: 'image.data',
    refuses: 'data that is not base64',
    message: '{path}.image.source.base64: invalid base64 data',
    source: 'Vision (our wording)',
    breaks: ({ type, data }) => type === 'base64' && !(typeof data === 'string' && BASE64.test(data)),
  }),
  ofImages({
    id: 'image.size',
    refuses: 'more than 10 MB of it',
    message: `{path}.image.source.base64: image exceeds 10 MB maximum: {bytes} bytes > ${IMAGE_BYTES_MAX} bytes`,
    source: 'Vision',
    breaks: ({ type, data }) => type === 'base64' && String(data).length > IMAGE_BYTES_MAX,
  }),
];

function ofImages(
  rule: Omit<ImageRule, 'find' | 'status'> & { readonly breaks: (source: Fields) => boolean },
): ImageRule {
  const { breaks, ...told } = rule;
  return {
    ...told,
    find(request): Values | undefined {
      const broken = imagesOf(request).find(({ source }) => breaks(source));
      if (broken === undefined) return undefined;
      const { path, source } = broken;
      return { path, type: String(source['type']), bytes: String(source['data']).length };
    },
  };
}

function imagesOf({ blocks }: ServiceRequest): readonly PlacedImage[] {
  return blocks.flatMap(({ type, path, fields }) => {
    if (type === 'image') return [imageAt(path, fields)];
    if (type !== 'tool_result') return [];
    return contentBlocks(fields['content']).flatMap((inner, at) =>
      isFields(inner) && inner['type'] === 'image'
        ? [imageAt(`${path}.tool_result.content.${at}`, inner)]
        : [],
    );
  });
}

function imageAt(path: string, image: Fields): PlacedImage {
  return { path, source: isFields(image['source']) ? image['source'] : {} };
}

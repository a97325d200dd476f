/**
 * Lists of records, newest first by (createdAt, id). Both the sort and the place have the index `organisationId: 1, createdAt: -1, _id: -1`
 * to walk, whose first field the list names, so a page costs by its length.
 */
export const NEWEST_FIRST = { createdAt: -1, _id: -1 } as const;

/** A filter: what is older than `before`. The first bound is for the index; the second decides within one millisecond. */
export function olderThan(before: { readonly createdAt: number; readonly id: string } | undefined): object {
  if (before === undefined) return {};
  const { createdAt, id } = before;
  return {
    createdAt: { $lte: createdAt },
    $or: [{ createdAt: { $lt: createdAt } }, { createdAt, _id: { $lt: id } }],
  };
}

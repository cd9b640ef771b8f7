/** Cursors of lists: opaque to callers. They grant nothing: a forged one only moves within what its bearer may see. */
import { PosternError } from './errors.ts'

export interface Page {
  readonly cursor?: string | undefined
  /** 1 to 100. */
  readonly limit?: number | undefined
}

export interface Paged<T> {
  readonly data: T[]
  readonly nextCursor: string | null
}

export const DEFAULT_LIMIT = 50

export function encodeCursor(list: string, position: string | number): string {
  return Buffer.from(JSON.stringify([list, position])).toString('base64url')
}

/** The position that a cursor of `list` stands for; throws `invalid_cursor` for anything else. */
export function decodeCursor<T extends 'string' | 'number'>(
  list: string,
  kind: T,
  cursor: string | undefined,
): (T extends 'string' ? string : number) | undefined {
  if (cursor === undefined) return undefined
  try {
    const [name, position] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [unknown, unknown]
    const sound =
      kind === 'number' ? Number.isSafeInteger(position) : /^[\w:/.-]{1,1200}$/.test(String(position))
    if (name === list && typeof position === kind && sound)
      return position as T extends 'string' ? string : number
  } catch {
    // Falls through: whatever it is, it is not one of ours.
  }
  throw new PosternError('invalid_cursor', 'Leave the cursor away to start at the beginning.')
}

/** One page out of `rows`, which were read one beyond the limit to know whether there is more. */
export function toPage<T>(
  list: string,
  rows: T[],
  limit: number,
  position: (row: T) => string | number,
): Paged<T> {
  const data = rows.slice(0, limit)
  const last = data.at(-1)
  return {
    data,
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(list, position(last)) : null,
  }
}

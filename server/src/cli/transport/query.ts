/** A path with its query. Nothing secret may ever stand in either: URLs end up in logs. */
import { keysInUrl } from '../../kernel/index.ts'
import { usageError } from '../errors.ts'
import type { ApiRequest } from './api-client.ts'

/** Throws a usage error where a key was given in place of its id. */
export function withQuery(path: string, query: ApiRequest['query'] = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) parameters.set(name, String(value))
  const text = parameters.toString()
  const url = text === '' ? path : `${path}?${text}`
  if (keysInUrl(url).length > 0)
    throw usageError(
      'That is a key itself, and was not sent.',
      'Give its id (key_…). The shell has kept the key in its history: rotate it if it is in use.',
    )
  return url
}

/** A path with its query. Nothing secret may ever stand in either: URLs end up in logs. */
import type { ApiRequest } from './api-client.ts'

export function withQuery(path: string, query: ApiRequest['query'] = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) parameters.set(name, String(value))
  const text = parameters.toString()
  return text === '' ? path : `${path}?${text}`
}

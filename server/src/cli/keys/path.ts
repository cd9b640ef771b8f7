/** Where one key is found. The id is public; the key itself is never in a path. */
export function keyPath(id: string, operation?: string): string {
  return `/v1/keys/${encodeURIComponent(id)}${operation === undefined ? '' : `/${operation}`}`
}

/** Where one client is found, and what belongs to it. The id is public; a secret is never in a path. */
export function clientPath(id: string, ...parts: readonly string[]): string {
  return ['/v1/clients', ...[id, ...parts].map(encodeURIComponent)].join('/')
}

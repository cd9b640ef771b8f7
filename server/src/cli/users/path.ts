/** Where one user is found, and what belongs to it. */
export function userPath(id: string, ...parts: readonly string[]): string {
  return ['/v1/users', ...[id, ...parts].map(encodeURIComponent)].join('/')
}

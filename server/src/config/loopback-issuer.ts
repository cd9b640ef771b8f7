/** Whether a deployment is reached on its own machine alone, by the names that cannot lead anywhere else. */
export function isLoopbackIssuer(issuer: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(issuer).hostname)
}

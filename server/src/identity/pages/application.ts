/** The application that asks, as pages name it: what it calls itself, and where its answers really go. */

export interface Application {
  /** What its owner registered: anybody's claim, which is why the host stands beside it. */
  readonly name: string
  /** Where the browser is sent afterwards. Undefined where there is no such place (the device flow). */
  readonly redirectUri?: string | undefined
}

/** In words: a host, or what stands in its place where the application runs on the person's own device. */
export function whereOf({ redirectUri }: Application): string | undefined {
  if (redirectUri === undefined || !URL.canParse(redirectUri)) return undefined
  const { protocol, host, hostname } = new URL(redirectUri)
  if (protocol !== 'https:' && protocol !== 'http:') return `an app on this device (${protocol})`
  if (hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.'))
    return `an app on this device (${host})`
  return host
}

export function leadsTo(application: Application | undefined): string[] {
  return application?.redirectUri === undefined ? [] : [application.redirectUri]
}

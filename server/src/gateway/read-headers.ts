/**
 * One pass over a request's headers as they came. Node's own view of them joins or drops a header that is there twice,
 * which is what an attacker would have it do.
 */
import type { Adapter } from './adapters.ts'

/** What is read, by its role; `adapter` says which header plays the first five. */
export type Role =
  | 'method'
  | 'uri'
  | 'host'
  | 'proto'
  | 'from'
  | 'secret'
  | 'authorization'
  | 'apiKey'
  | 'dpop'
  | 'cookie'
  | 'accept'
  | 'origin'
  | 'secFetchSite'
  | 'connection'

export type Read = { [R in Role]?: string | undefined } & {
  /** A header that must be there once and is there twice. */
  twice?: Role
  /** The name of a header that spells one of ours or of forwarding in another way. */
  alias?: string
}

/** The header in which a proxy proves itself. */
export const SECRET_HEADER = 'postern-gateway-secret'

const ROLES: Readonly<Record<string, Role>> = {
  [SECRET_HEADER]: 'secret',
  authorization: 'authorization',
  'x-api-key': 'apiKey',
  dpop: 'dpop',
  cookie: 'cookie',
  accept: 'accept',
  origin: 'origin',
  'sec-fetch-site': 'secFetchSite',
  connection: 'connection',
}

/** Whatever CGI, WSGI and their kin read as one of these (`X_Forwarded_Uri`, `Remote.User`) is refused. */
const GUARDED =
  /^(postern-|x-forwarded-|x-original-|x-real-ip$|x-envoy-|remote-|forwarded$|authorization$|x-api-key$|cookie$|dpop$|host$)/

type Kind = Role | 'alias' | null

export class HeaderReader {
  readonly #roles: Readonly<Record<string, Role>>
  /** By the name as it was written: the few spellings that there are. */
  readonly #kinds = new Map<string, Kind>()

  constructor({ headers }: Adapter) {
    const own = Object.entries(headers).map(([role, name]) => [name, role as Role])
    this.#roles = {
      ...ROLES,
      ...(headers.host === undefined && { host: 'host' }),
      ...Object.fromEntries(own),
    }
  }

  read(rawHeaders: readonly string[]): Read {
    const read: Read = {}
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] as string
      const kind = this.#kindOf(name)
      if (kind === null) continue
      if (kind === 'alias') read.alias ??= name
      // HTTP/2 clients may send cookies in pieces (RFC 9113, section 8.2.3), and a list may come in several lines.
      else if (read[kind] === undefined) read[kind] = rawHeaders[at + 1] as string
      else if (kind === 'cookie') read.cookie += `; ${rawHeaders[at + 1] as string}`
      else if (kind === 'accept' || kind === 'connection') read[kind] += `, ${rawHeaders[at + 1] as string}`
      else read.twice ??= kind
    }
    return read
  }

  #kindOf(name: string): Kind {
    const known = this.#kinds.get(name)
    if (known !== undefined) return known
    const lower = name.toLowerCase()
    const plain = lower.replaceAll(/[_.]/g, '-')
    const kind: Kind = plain !== lower && GUARDED.test(plain) ? 'alias' : (this.#roles[lower] ?? null)
    if (this.#kinds.size < MOST_NAMES) this.#kinds.set(name, kind)
    return kind
  }
}

/** Beyond it names are looked at anew each time: whoever invents them fills nothing. */
const MOST_NAMES = 500

/** Whether a Connection header would have the proxy drop a header that carries an identity (RFC 9110, section 7.6.1). */
export function dropsGuarded(connection: string | undefined): boolean {
  return (
    connection !== undefined &&
    connection.split(',').some((name) => GUARDED.test(name.trim().toLowerCase().replaceAll(/[_.]/g, '-')))
  )
}

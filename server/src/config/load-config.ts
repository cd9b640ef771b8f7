/** The face of configuration; filled in next. */
export interface RateLimit {
  /** 0: no limit. */
  readonly perSecond: number
  readonly burst: number
}

export interface Config {
  readonly host: string
  readonly port: number
  /** Absolute, without a trailing slash. */
  readonly issuer: string
  readonly dataDir: string
  readonly databaseUrl: string | undefined
  readonly rootSecret: string | undefined
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** CIDR blocks, checked. */
  readonly trustedProxies: readonly string[]
  readonly insecure: boolean
  readonly workers: number
  readonly logLevel: string
  readonly logFormat: 'json' | 'pretty'
  readonly shutdownGraceSeconds: number
  readonly limits: { readonly address: RateLimit; readonly credential: RateLimit }
  /** The command line's, when it manages a server instead of the data folder. */
  readonly cli: { readonly url: string | undefined; readonly operatorKey: string | undefined }
  /** What is odd but does not stop the start; for the log. */
  readonly warnings: readonly string[]
}

/** What the command line gives, by setting name; as text, as it was typed. */
export type Overrides = Readonly<Partial<Record<import('./settings.ts').SettingName, string>>>

export function loadConfig(_env: NodeJS.ProcessEnv, _overrides: Overrides = {}): Config {
  throw new Error('not yet')
}

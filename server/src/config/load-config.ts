/** Environment, file and command line → one frozen Config, or a ConfigError that says what to mend. */
import { resolve } from 'node:path'
import { ConfigError } from './config-error.ts'
import { checkTogether, isLoopback, oddities } from './check-together.ts'
import { gather, refuseBoth } from './gather.ts'
import type { Given, Overrides } from './gather.ts'
import * as parse from './parse-setting.ts'
import { SETTINGS } from './settings.ts'
import type { Setting, SettingName } from './settings.ts'

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
  /** Absolute. */
  readonly dataDir: string
  /** Secret: show it with `withoutPassword`. */
  readonly databaseUrl: string | undefined
  /** Secret. Undefined with SQLite: the data folder has one. */
  readonly rootSecret: string | undefined
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** CIDR blocks, checked. */
  readonly trustedProxies: readonly string[]
  readonly insecure: boolean
  /** Whether anybody may register an OAuth client. */
  readonly dynamicRegistration: boolean
  readonly workers: number
  readonly logLevel: string
  readonly logFormat: 'json' | 'pretty'
  readonly shutdownGraceSeconds: number
  /** How many nodes serve, each with `workers`: for the share of a limit that one counts alone. */
  readonly nodes: number
  /** Secret: it may hold a password. */
  readonly valkeyUrl: string | undefined
  readonly valkeyLost: 'share' | 'closed'
  /** How long counts are kept: by minute, by hour, by day. */
  readonly usage: {
    readonly minutesForHours: number
    readonly hoursForDays: number
    readonly daysForDays: number
  }
  readonly limits: {
    readonly address: RateLimit
    readonly credential: RateLimit
    readonly signIn: RateLimit
  }
  /** Secret. Undefined: no e-mail is sent. */
  readonly smtpUrl: string | undefined
  readonly mailFrom: string | undefined
  readonly signUp: { readonly open: boolean; readonly tenant: string | undefined }
  readonly gateway: {
    /** Secret. The present one and the one before; empty: the gateway is closed. */
    readonly secrets: readonly string[]
    /** CIDR blocks, checked. */
    readonly proxies: readonly string[]
    /** Origins, checked. */
    readonly hosts: readonly string[]
    readonly routesFile: string | undefined
  }
  /** Where each sender of leak reports publishes its keys; undefined: its reports are refused. */
  readonly leakKeyUrls: { readonly github: string | undefined; readonly gitlab: string | undefined }
  /** CIDR blocks, checked: where webhooks go besides public addresses. */
  readonly webhookNetworks: readonly string[]
  /** Null: as old as they like. */
  readonly webhookSecretMaxAgeMs: number | null
  /** What is odd but does not stop the start; for the log. */
  readonly warnings: readonly string[]
}

/**
 * Reads and checks every setting. `env` is `process.env`; `overrides` is what the command line gives, by setting name.
 *
 * Throws ConfigError. Reads the files that settings name; does not check that the database answers, or that the
 * certificate matches its key.
 */
export function loadConfig(
  env: NodeJS.ProcessEnv,
  overrides: Overrides = {},
  terminal: boolean = process.stdout.isTTY === true,
): Config {
  refuseBoth(env)
  const { given, warnings } = gather(env, overrides)
  const read = reader(given)

  const port = read('port', rangeOf('port'))
  const certFile = read.optional('tls_cert_file', (it) => parse.parseReadableFile(it))
  const keyFile = read.optional('tls_key_file', (it) => parse.parseReadableFile(it))
  const hasTls = certFile !== undefined || keyFile !== undefined
  const logFormat = read('log_format', choiceOf('log_format'))

  const config: Config = {
    host: read('host', parse.parseHost),
    port,
    issuer: read.optional('issuer', parse.parseIssuer) ?? `${hasTls ? 'https' : 'http'}://localhost:${port}`,
    dataDir: read('data', (it) => resolve(it.text)),
    databaseUrl: read.optional('database_url', parse.parsePostgresUrl),
    rootSecret: read.optional('root_secret', (it) => parse.parseSecret(it, 32)),
    tls: hasTls ? Object.freeze({ certFile: certFile ?? '', keyFile: keyFile ?? '' }) : undefined,
    trustedProxies: read('trusted_proxies', parse.parseCidrList),
    insecure: read('insecure', parse.parseFlag),
    dynamicRegistration: read('dynamic_registration', parse.parseFlag),
    workers: read('workers', rangeOf('workers')),
    nodes: read('nodes', rangeOf('nodes')),
    valkeyUrl: read.optional('valkey_url', parse.parseValkeyUrl),
    valkeyLost: read('valkey_lost', choiceOf('valkey_lost')) as 'share' | 'closed',
    logLevel: read('log_level', choiceOf('log_level')),
    logFormat: logFormat === 'pretty' || (logFormat === 'auto' && terminal) ? 'pretty' : 'json',
    shutdownGraceSeconds: read('shutdown_grace_seconds', rangeOf('shutdown_grace_seconds')),
    usage: Object.freeze({
      minutesForHours: read('usage_minutes_kept_hours', rangeOf('usage_minutes_kept_hours')),
      hoursForDays: read('usage_hours_kept_days', rangeOf('usage_hours_kept_days')),
      daysForDays: read('usage_days_kept_days', rangeOf('usage_days_kept_days')),
    }),
    limits: Object.freeze({
      address: rateOf('address_rate', 'address_burst'),
      credential: rateOf('credential_rate', 'credential_burst'),
      signIn: rateOf('sign_in_rate', 'sign_in_burst'),
    }),
    smtpUrl: read.optional('smtp_url', parse.parseSmtpUrl),
    mailFrom: read.optional('mail_from', parse.parseMailbox),
    signUp: Object.freeze({
      open: read('sign_up', parse.parseFlag),
      tenant: read.optional('sign_up_tenant', parse.parseTenant),
    }),
    gateway: Object.freeze({
      secrets: Object.freeze(
        (['gateway_secret', 'gateway_secret_previous'] as const)
          .map((name) => read.optional(name, (it) => parse.parseHeaderSecret(it, 32)))
          .filter((secret) => secret !== undefined),
      ),
      proxies: read('gateway_proxies', parse.parseCidrList),
      hosts: read('gateway_hosts', parse.parseOrigins),
      routesFile: read.optional('gateway_routes', (it) => parse.parseReadableFile(it, 'TOML')),
    }),
    leakKeyUrls: Object.freeze({
      github: read('leaks_github_keys_url', parse.parseUrlOrOff),
      gitlab: read('leaks_gitlab_keys_url', parse.parseUrlOrOff),
    }),
    webhookNetworks: read('webhook_networks', parse.parseCidrList),
    webhookSecretMaxAgeMs:
      read('webhook_secret_max_age_days', rangeOf('webhook_secret_max_age_days')) * 86_400_000 || null,
    warnings: [],
  }
  checkTogether(config)
  return Object.freeze({ ...config, warnings: Object.freeze([...warnings, ...oddities(config)]) })

  function rateOf(rate: SettingName, burst: SettingName): RateLimit {
    return Object.freeze({ perSecond: read(rate, rangeOf(rate)), burst: read(burst, rangeOf(burst)) })
  }
}

/** The server that the command line manages, from POSTERN_URL and POSTERN_OPERATOR_KEY; undefined: the data folder. */
export function loadCliTarget(
  env: NodeJS.ProcessEnv,
): { readonly url: string; readonly operatorKey: string | undefined } | undefined {
  refuseBoth(env)
  const { given } = gather(env, {})
  const url = given.get('url')
  if (!url) return undefined
  const address = new URL(parse.parseIssuer(url))
  if (address.protocol === 'http:' && !isLoopback(address.hostname))
    throw new ConfigError(
      url.source,
      `${url.source} is plain http beyond loopback, which would show the operator key; expected https.`,
    )
  return { url: address.href.replace(/\/+$/, ''), operatorKey: given.get('operator_key')?.text.trim() }
}

type Parser<T> = (given: Given) => T

interface Reader {
  /** Of a setting that has a default. */
  <T>(name: SettingName, parser: Parser<T>): T
  optional<T>(name: SettingName, parser: Parser<T>): T | undefined
}

function reader(given: ReadonlyMap<string, Given>): Reader {
  const read = <T>(name: SettingName, parser: Parser<T>): T =>
    parser(given.get(name) ?? { text: settingOf(name).default ?? '', source: `the default of ${name}` })
  const optional = <T>(name: SettingName, parser: Parser<T>): T | undefined => {
    const value = given.get(name)
    return value && parser(value)
  }
  return Object.assign(read, { optional })
}

function settingOf(name: SettingName): Setting {
  const setting = (SETTINGS as readonly Setting[]).find((one) => one.name === name)
  if (!setting) throw new Error(`no setting ${name}`)
  return setting
}

function rangeOf(name: SettingName): Parser<number> {
  const { kind } = settingOf(name)
  if (kind.is !== 'integer') throw new Error(`${name} is no integer`)
  return (given) => parse.parseInteger(given, kind.from, kind.to)
}

function choiceOf(name: SettingName): Parser<string> {
  const { kind } = settingOf(name)
  if (kind.is !== 'choice') throw new Error(`${name} is no choice`)
  return (given) => parse.parseChoice(given, kind.of)
}

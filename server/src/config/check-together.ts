/** Rules between settings, in order. The first that is broken stops the start with a sentence that says how to mend it. */
import { isIP } from 'node:net'
import { inCidrs, parseCidrs } from '../kernel/index.ts'
import { ConfigError } from './config-error.ts'
import type { Config } from './load-config.ts'

type Rule = (config: Config) => ConfigError | undefined

const RULES: readonly Rule[] = [
  certificateNeedsKey,
  postgresNeedsRootSecret,
  publicNeedsHttps,
  issuerNeedsHttps,
  mailNeedsSender,
  signUpNeedsMail,
]

export function checkTogether(config: Config): void {
  for (const rule of RULES) {
    const broken = rule(config)
    if (broken) throw broken
  }
}

function certificateNeedsKey({ tls }: Config): ConfigError | undefined {
  if (!tls || (tls.certFile !== '' && tls.keyFile !== '')) return undefined
  const [has, lacks] = tls.certFile === '' ? ['KEY', 'CERT'] : ['CERT', 'KEY']
  const missing = `POSTERN_TLS_${lacks}_FILE`
  return new ConfigError(missing, `${missing} is not set, but POSTERN_TLS_${has}_FILE is; https needs both.`)
}

/** Nodes that each made up a root secret would issue keys that the others refuse. */
function postgresNeedsRootSecret({ databaseUrl, rootSecret }: Config): ConfigError | undefined {
  if (databaseUrl === undefined || rootSecret !== undefined) return undefined
  return new ConfigError(
    'POSTERN_ROOT_SECRET',
    'POSTERN_ROOT_SECRET is not set, but Postgres is used; expected the same at least 32 random characters on every node, in POSTERN_ROOT_SECRET or in the file that POSTERN_ROOT_SECRET_FILE names (make them once with: openssl rand -base64 32).',
  )
}

function publicNeedsHttps(config: Config): ConfigError | undefined {
  const { host, issuer, tls, trustedProxies, insecure } = config
  if (insecure || isLoopback(host)) return undefined
  const wants: string[] = []
  if (!issuer.startsWith('https://')) wants.push('set POSTERN_ISSUER to its public https:// address')
  if (!tls && trustedProxies.length === 0)
    wants.push(
      'set either POSTERN_TLS_CERT_FILE and POSTERN_TLS_KEY_FILE, or POSTERN_TRUSTED_PROXIES to the address of the proxy that ends https',
    )
  if (wants.length === 0) return undefined
  return new ConfigError(
    'POSTERN_HOST',
    `POSTERN_HOST is ${host}, which other machines reach, but without https anyone on the way can read credentials: ${wants.join(', and ')}; or listen on localhost; or, for a test alone, start with --insecure.`,
  )
}

function issuerNeedsHttps({ issuer, insecure }: Config): ConfigError | undefined {
  const url = new URL(issuer)
  if (insecure || url.protocol === 'https:' || isLoopback(url.hostname)) return undefined
  return new ConfigError(
    'POSTERN_ISSUER',
    `POSTERN_ISSUER is ${issuer}, which is plain http beyond loopback; expected an https:// address (or, for a test alone, start with --insecure).`,
  )
}

function mailNeedsSender({ smtpUrl, mailFrom }: Config): ConfigError | undefined {
  if (smtpUrl === undefined || mailFrom !== undefined) return undefined
  return new ConfigError(
    'POSTERN_MAIL_FROM',
    'POSTERN_MAIL_FROM is not set, but POSTERN_SMTP_URL is; expected the address that e-mails are from.',
  )
}

/** On loopback the outbox stands for it. */
function signUpNeedsMail({ signUp, smtpUrl, issuer }: Config): ConfigError | undefined {
  if (!signUp.open || smtpUrl !== undefined || isLoopback(new URL(issuer).hostname)) return undefined
  return new ConfigError(
    'POSTERN_SIGN_UP',
    'POSTERN_SIGN_UP is true, but no e-mail can be sent to verify addresses; expected POSTERN_SMTP_URL and POSTERN_MAIL_FROM beside it.',
  )
}

const LOOPBACK = parseCidrs(['127.0.0.0/8', '::1'])

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (isIP(bare) > 0) return inCidrs(bare, LOOPBACK)
  // RFC 6761, section 6.3.
  return bare === 'localhost' || bare.endsWith('.localhost')
}

/** What works, but is seldom meant. */
export function oddities({ host, issuer, tls, trustedProxies, insecure }: Config): string[] {
  const odd: string[] = []
  if (insecure)
    odd.push('Started as insecure: credentials travel in plain text. Never use this beyond a test.')
  if (tls && issuer.startsWith('http://'))
    odd.push(`Postern answers https, but POSTERN_ISSUER is ${issuer}: callers are told the wrong address.`)
  if (isLoopback(host) && issuer.startsWith('https://') && !tls && trustedProxies.length === 0)
    odd.push(
      'POSTERN_ISSUER is https and there is no certificate here, so a proxy must end https; set POSTERN_TRUSTED_PROXIES to its address, or every caller seems to come from the proxy.',
    )
  return odd
}

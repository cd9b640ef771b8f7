/**
 * Every setting, in one table: how it is called, what it takes, what it is without being set, and the sentence that
 * documents it. The variable is `POSTERN_` and the name in capitals; the file's key is the name. docs/configuration.md
 * shows this table, and a test keeps the two equal.
 */

export type Kind =
  | { readonly is: 'host' }
  | { readonly is: 'path' }
  | { readonly is: 'url' }
  | { readonly is: 'postgresUrl' }
  | { readonly is: 'valkeyUrl' }
  | { readonly is: 'secret'; readonly minimumLength: number }
  | { readonly is: 'cidrs' }
  | { readonly is: 'origins' }
  | { readonly is: 'flag' }
  | { readonly is: 'integer'; readonly from: number; readonly to: number }
  | { readonly is: 'choice'; readonly of: readonly string[] }
  | { readonly is: 'smtpUrl' }
  | { readonly is: 'mailbox' }
  | { readonly is: 'tenant' }
  /** Read by the command line, not by the server. */
  | { readonly is: 'cli' }

export interface Setting {
  /** Lower case with underscores. */
  readonly name: string
  readonly kind: Kind
  /** As it would be written; undefined: none. */
  readonly default?: string
  /** Never echoed, and also read from the file that `<VARIABLE>_FILE` names. */
  readonly secret?: true
  /** One sentence. */
  readonly doc: string
}

export const SETTINGS = [
  {
    name: 'host',
    kind: { is: 'host' },
    default: 'localhost',
    doc: 'Where to listen: a name or an address; `localhost` listens on both loopback addresses, 127.0.0.1 and ::1.',
  },
  {
    name: 'port',
    kind: { is: 'integer', from: 0, to: 65535 },
    default: '4800',
    doc: 'The port to listen on; 0 takes a free one.',
  },
  {
    name: 'issuer',
    kind: { is: 'url' },
    default: 'http://localhost:<port>',
    doc: 'The public address of this deployment, as callers reach it; it must be https unless it is on loopback.',
  },
  {
    name: 'data',
    kind: { is: 'path' },
    default: './data',
    doc: 'The folder of the SQLite database and the root secret; created if it is missing.',
  },
  {
    name: 'database_url',
    kind: { is: 'postgresUrl' },
    secret: true,
    doc: 'A Postgres database, as `postgres://user:password@host:5432/name`; without it Postern uses SQLite in the data folder.',
  },
  {
    name: 'root_secret',
    kind: { is: 'secret', minimumLength: 32 },
    secret: true,
    doc: 'At least 32 random characters from which all keys of the deployment are derived; needed with Postgres, made on first start with SQLite.',
  },
  {
    name: 'tls_cert_file',
    kind: { is: 'path' },
    doc: 'The PEM file of the certificate chain; given together with `tls_key_file`, Postern answers https itself.',
  },
  { name: 'tls_key_file', kind: { is: 'path' }, doc: "The PEM file of the certificate's private key." },
  {
    name: 'trusted_proxies',
    kind: { is: 'cidrs' },
    default: '',
    doc: 'Addresses or CIDR blocks, separated by commas, of the proxies whose `X-Forwarded-*` and `X-Request-Id` are believed.',
  },
  {
    name: 'insecure',
    kind: { is: 'flag' },
    default: 'false',
    doc: 'Allows plain http beyond loopback, where anyone on the way can read credentials; for tests only.',
  },
  {
    name: 'dynamic_registration',
    kind: { is: 'flag' },
    default: 'false',
    doc: 'Lets anybody register an OAuth client (RFC 7591), which acts for users alone; clients described by their own document need no registration.',
  },
  {
    name: 'workers',
    kind: { is: 'integer', from: 1, to: 64 },
    default: '1',
    doc: 'How many processes answer on the port.',
  },
  {
    name: 'nodes',
    kind: { is: 'integer', from: 1, to: 1000 },
    default: '1',
    doc: 'How many nodes serve this deployment, each with `workers` processes; of each limit, a process that counts without Valkey counts its share.',
  },
  {
    name: 'valkey_url',
    kind: { is: 'valkeyUrl' },
    secret: true,
    doc: 'A Valkey or Redis, as `valkey://user:password@host:6379`, in which several processes count limits exactly; without it each counts its share.',
  },
  {
    name: 'valkey_lost',
    kind: { is: 'choice', of: ['share', 'closed'] },
    default: 'share',
    doc: 'What happens to limits while Valkey cannot be reached: each process counts its `share`, or is `closed` and refuses whatever has a limit.',
  },
  {
    name: 'log_level',
    kind: { is: 'choice', of: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] },
    default: 'info',
    doc: 'The least severe log line to write; `debug` has one line for each request.',
  },
  {
    name: 'log_format',
    kind: { is: 'choice', of: ['auto', 'json', 'pretty'] },
    default: 'auto',
    doc: '`json` for machines, `pretty` for people; `auto` is pretty on a terminal.',
  },
  {
    name: 'shutdown_grace_seconds',
    kind: { is: 'integer', from: 0, to: 600 },
    default: '20',
    doc: 'How long requests under way may take to finish after SIGTERM.',
  },
  {
    name: 'address_rate',
    kind: { is: 'integer', from: 0, to: 1_000_000 },
    default: '200',
    doc: 'Requests per second from one address (an IPv6 /64 counts as one), where of `/v1/verify` only the refused ones count; 0 means no limit.',
  },
  {
    name: 'address_burst',
    kind: { is: 'integer', from: 1, to: 10_000_000 },
    default: '2000',
    doc: 'How many requests one address may send at once before `address_rate` holds it back.',
  },
  {
    name: 'sign_in_rate',
    kind: { is: 'integer', from: 0, to: 1_000_000 },
    default: '50',
    doc: 'Requests per second from one address to where people sign in, clients get tokens or register, and devices ask, within `address_rate`; 0 means no limit.',
  },
  {
    name: 'sign_in_burst',
    kind: { is: 'integer', from: 1, to: 10_000_000 },
    default: '500',
    doc: 'How many of these one address may send at once before `sign_in_rate` holds it back.',
  },
  {
    name: 'credential_rate',
    kind: { is: 'integer', from: 0, to: 1_000_000 },
    default: '0',
    doc: 'Requests per second with one operator credential; 0 means no limit.',
  },
  {
    name: 'credential_burst',
    kind: { is: 'integer', from: 1, to: 10_000_000 },
    default: '2000',
    doc: 'How many requests one operator credential may send at once before `credential_rate` holds it back.',
  },
  {
    name: 'usage_minutes_kept_hours',
    kind: { is: 'integer', from: 1, to: 720 },
    default: '24',
    doc: 'For how many hours usage is kept by the minute.',
  },
  {
    name: 'usage_hours_kept_days',
    kind: { is: 'integer', from: 2, to: 3650 },
    default: '90',
    doc: 'For how many days usage is kept by the hour; after that by the day.',
  },
  {
    name: 'usage_days_kept_days',
    kind: { is: 'integer', from: 2, to: 36_500 },
    default: '800',
    doc: 'For how many days usage is kept at all.',
  },
  {
    name: 'smtp_url',
    kind: { is: 'smtpUrl' },
    secret: true,
    doc: 'The server that sends e-mails, as `smtps://user:password@host:465` or `smtp://…:587`; without it none are sent, and on loopback `postern outbox` shows them.',
  },
  {
    name: 'mail_from',
    kind: { is: 'mailbox' },
    doc: 'Whom e-mails are from, as `Name <address>` or an address; needed with `smtp_url`.',
  },
  {
    name: 'sign_up',
    kind: { is: 'flag' },
    default: 'false',
    doc: 'Whether strangers may make themselves an account; needs e-mail, by which their address is verified.',
  },
  {
    name: 'sign_up_tenant',
    kind: { is: 'tenant' },
    doc: 'The tenant whose members those who sign up become; without it they belong to none until an operator says so.',
  },
  {
    name: 'gateway_secret',
    kind: { is: 'secret', minimumLength: 32 },
    secret: true,
    doc: 'What a proxy proves itself with, in `Postern-Gateway-Secret`; without it the gateway endpoints answer nobody.',
  },
  {
    name: 'gateway_secret_previous',
    kind: { is: 'secret', minimumLength: 32 },
    secret: true,
    doc: 'The secret before, which is taken as well until every proxy has the new one.',
  },
  {
    name: 'gateway_proxies',
    kind: { is: 'cidrs' },
    default: '',
    doc: 'Addresses or CIDR blocks that proxies ask from, in addition to the secret; empty means anywhere.',
  },
  {
    name: 'gateway_hosts',
    kind: { is: 'origins' },
    default: '',
    doc: 'Origins, separated by commas, on which people are signed in by the gateway, such as `https://app.example.com`.',
  },
  {
    name: 'gateway_routes',
    kind: { is: 'path' },
    doc: 'A TOML file of gateway routes, which are tried before those of the management API.',
  },
  {
    name: 'leaks_github_keys_url',
    kind: { is: 'url' },
    default: 'https://api.github.com/meta/public_keys/secret_scanning',
    doc: 'Where the public keys are that GitHub signs its leak reports with; `off` refuses all of them.',
  },
  {
    name: 'leaks_gitlab_keys_url',
    kind: { is: 'url' },
    default: 'off',
    doc: 'Where the public keys are that GitLab signs its leak reports with: GitLab tells its partners; `off` refuses all of them.',
  },
  {
    name: 'webhook_networks',
    kind: { is: 'cidrs' },
    default: '',
    doc: "Addresses or CIDR blocks, separated by commas, that are not public and may be told of the deployment's events all the same, over plain http as well.",
  },
  {
    name: 'webhook_secret_max_age_days',
    kind: { is: 'integer', from: 0, to: 36_500 },
    default: '365',
    doc: 'How old the secret of a webhook may become before it is overdue; 0 means as old as it likes.',
  },
  {
    name: 'config',
    kind: { is: 'path' },
    doc: 'A TOML file of these settings; the environment and the command line go before it.',
  },
  {
    name: 'url',
    kind: { is: 'cli' },
    doc: 'Command line only: the server to manage, instead of the data folder.',
  },
  {
    name: 'operator_key',
    kind: { is: 'cli' },
    secret: true,
    doc: 'Command line only: the operator key for that server.',
  },
] as const satisfies readonly Setting[]

export type SettingName = (typeof SETTINGS)[number]['name']

export function variableOf(name: string): string {
  return `POSTERN_${name.toUpperCase()}`
}

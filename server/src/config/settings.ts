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
  | { readonly is: 'secret'; readonly minimumLength: number }
  | { readonly is: 'cidrs' }
  | { readonly is: 'flag' }
  | { readonly is: 'integer'; readonly from: number; readonly to: number }
  | { readonly is: 'choice'; readonly of: readonly string[] }
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
    name: 'workers',
    kind: { is: 'integer', from: 1, to: 64 },
    default: '1',
    doc: 'How many processes answer on the port.',
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

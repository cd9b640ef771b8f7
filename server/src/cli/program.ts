/** The nouns. What each can do is loaded when it is called, so that `serve` starts fast. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Cli, Define } from './cli.ts'

interface Noun {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<{ readonly define: Define }>
}

export const NOUNS: readonly Noun[] = [
  { name: 'serve', summary: 'run the server', load: () => import('./commands/serve.ts') },
  { name: 'migrate', summary: 'bring the database up to date', load: () => import('./commands/migrate.ts') },
  { name: 'doctor', summary: 'look for what will go wrong', load: () => import('./doctor/index.ts') },
  { name: 'tenants', summary: 'customers, kept apart', load: () => import('./commands/tenants.ts') },
  { name: 'resources', summary: 'your APIs and their scopes', load: () => import('./commands/resources.ts') },
  { name: 'keys', summary: 'API keys', load: () => import('./keys/index.ts') },
  {
    name: 'verify',
    summary: 'ask whether a credential is valid',
    load: () => import('./commands/verify.ts'),
  },
  { name: 'clients', summary: 'applications that use OAuth', load: () => import('./clients/index.ts') },
  { name: 'users', summary: 'people who sign in', load: () => import('./users/index.ts') },
  {
    name: 'roles',
    summary: 'sets of scopes that members of tenants hold',
    load: () => import('./commands/roles.ts'),
  },
  {
    name: 'providers',
    summary: 'where people may sign in instead',
    load: () => import('./commands/providers.ts'),
  },
  {
    name: 'outbox',
    summary: 'e-mails that nobody sends, in development',
    load: () => import('./commands/outbox.ts'),
  },
  {
    name: 'tokens',
    summary: 'what is in an access token, and its end',
    load: () => import('./commands/tokens.ts'),
  },
  {
    name: 'signing-keys',
    summary: 'what tokens are signed with',
    load: () => import('./commands/signing-keys.ts'),
  },
  {
    name: 'trusted-issuers',
    summary: 'whose tokens are taken as well',
    load: () => import('./commands/trusted-issuers.ts'),
  },
  { name: 'revoke', summary: 'end anything, at once', load: () => import('./revoke/index.ts') },
  { name: 'leaks', summary: 'keys in public', load: () => import('./leaks/index.ts') },
  { name: 'feed', summary: 'what verifiers are told', load: () => import('./commands/feed.ts') },
  { name: 'login', summary: 'sign in and keep a token here', load: () => import('./commands/login.ts') },
  { name: 'whoami', summary: 'what that token is worth', load: () => import('./commands/whoami.ts') },
  {
    name: 'root-secret',
    summary: 'what everything is sealed under',
    load: () => import('./commands/root-secret.ts'),
  },
  { name: 'plans', summary: 'named sets of limits', load: () => import('./limits/plans.ts') },
  { name: 'limits', summary: 'who may do how much', load: () => import('./limits/limits.ts') },
  { name: 'usage', summary: 'what credentials were used for', load: () => import('./commands/usage.ts') },
  { name: 'gateway', summary: 'what proxies let pass', load: () => import('./commands/gateway.ts') },
  { name: 'webhooks', summary: 'telling others what happens', load: () => import('./webhooks/index.ts') },
  { name: 'rotation', summary: 'what is due to be rotated', load: () => import('./commands/rotation.ts') },
  { name: 'report', summary: 'for whoever has to answer for it', load: () => import('./commands/report.ts') },
  { name: 'operators', summary: 'who may manage Postern', load: () => import('./commands/operators.ts') },
  { name: 'audit', summary: 'who changed what', load: () => import('./commands/audit.ts') },
  { name: 'activity', summary: 'what was refused', load: () => import('./commands/activity.ts') },
]

const AFTERWORD = `
Commands work on the data folder (--data, POSTERN_DATA), or, with POSTERN_URL and POSTERN_OPERATOR_KEY set, on the
server there. \`postern <noun> --help\` shows the verbs; docs/cli.md has it all, exit codes included.`

export function buildProgram(cli: Cli): Command {
  const program = new Command('postern')
    .description('Checks who is calling your API.')
    .option('--json', 'answer as JSON, for scripts')
    .option('--data <folder>', 'the data folder to work on')
    .option('--config <file>', 'a TOML file of settings')
    .version(version(), '--version')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', AFTERWORD)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void cli.io.stdout.write(text).catch(() => {}),
      writeErr: (text) => void cli.io.stderr.write(text).catch(() => {}),
      getOutHelpWidth: () => cli.io.columns ?? 100,
      getErrHelpWidth: () => cli.io.columns ?? 100,
      // Reported like every other error, when parsing has ended.
      outputError: () => {},
    })
    .hook('preSubcommand', async (_program, command) => {
      const noun = NOUNS.find(({ name }) => name === command.name())
      if (noun) (await noun.load()).define(command, cli)
    })
  for (const { name, summary } of NOUNS) program.command(name).summary(summary).description(summary)
  return program
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

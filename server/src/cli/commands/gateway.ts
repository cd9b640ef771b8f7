/** gateway: which requests the proxies let pass, and why. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode, usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { countOption, durationOption, listOption } from '../input/options.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { duration } from '../output/times.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireExplanation, WireRoute } from '../wire.ts'

interface RouteOptions {
  readonly host?: string
  readonly path?: string
  readonly method?: string[]
  readonly resource?: string
  readonly scope?: string[]
  readonly tenant?: string
  readonly credential?: string[]
  readonly role?: string[]
  readonly anonymous?: boolean
  readonly acr?: string[]
  readonly maxAge?: number
  readonly upstream?: string
  readonly position?: number
}

const ROUTES = '/v1/gateway/routes'

export function define(command: Command, cli: Cli): void {
  const routes = command.command('routes').description('What the gateway lets pass.')

  addListOptions(
    routes.command('list').description('List the routes in the order in which they are tried.'),
  ).action(cli.action((options: ListOptions) => printList(cli, ROUTES, {}, options, columns())))

  addRules(
    routes
      .command('create')
      .description('Create a route; without --position it is tried last.')
      .requiredOption('--host <host>', 'such as app.example.com, or *.example.com'),
  ).action(
    cli.action(async (options: RouteOptions) =>
      show(cli, await createOnce<WireRoute>(await cli.client(), ROUTES, bodyOf(options))),
    ),
  )

  routes
    .command('show <id>')
    .description('Show a route.')
    .action(
      cli.action(async (id: string) => show(cli, await call<WireRoute>(await cli.client(), 'GET', at(id)))),
    )

  addRules(
    routes.command('update <id>').description('Change a route.').option('--host <host>', 'another host'),
  ).action(
    cli.action(async (id: string, options: RouteOptions) => {
      const body = bodyOf(options)
      if (Object.keys(body).length === 0)
        throw usageError('Nothing to change.', 'See: postern gateway routes update --help')
      await show(cli, await call<WireRoute>(await cli.client(), 'PATCH', at(id), { body }))
    }),
  )

  routes
    .command('delete <id>')
    .description('Delete a route: what only it let pass is refused at once.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const route = await call<WireRoute>(client, 'GET', at(id))
        await confirm(
          cli.io,
          `What only this route lets pass on ${route.host} is refused at once.`,
          route.id,
          yes,
        )
        await call(client, 'DELETE', at(route.id))
        if (cli.out.isJson) await cli.out.json({ deleted: route.id })
        else await cli.out.note(`Deleted ${route.id}.`)
      }),
    )

  command
    .command('explain <method> <url>')
    .description('Say which route would answer, and why; exit code 1 when none does.')
    .action(cli.action((method: string, url: string) => explain(cli, method, url)))
}

function addRules(command: Command): Command {
  return command
    .option('--path <path>', 'a prefix, or a pattern with * for a segment and ** for the rest (/)')
    .addOption(listOption('--method <method>', 'a method; again for more (all)'))
    .option('--resource <uri>', 'the API that is called')
    .addOption(listOption('--scope <scope>', 'what the call needs; again for more'))
    .option('--tenant <id>', 'the tenant that it belongs to')
    .addOption(
      listOption(
        '--credential <kind>',
        'what is taken: api_key, access_token, session; again for more (all)',
      ),
    )
    .addOption(listOption('--role <role>', 'a role of which one is needed; again for more'))
    .option('--anonymous', 'let whoever brings no credential pass')
    .option('--no-anonymous', 'ask everybody for a credential')
    .addOption(listOption('--acr <value>', 'how one must have signed in; again for more'))
    .addOption(durationOption('--max-age <duration>', 'how long ago the sign-in may be'))
    .option('--upstream <uri>', 'the audience of the identity token (the origin that was called)')
    .addOption(countOption('--position <number>', 'lower ones are tried first', 0, 1_000_000_000))
}

function bodyOf(options: RouteOptions): Record<string, unknown> {
  const body = {
    host: options.host,
    path: options.path,
    methods: options.method,
    resource: options.resource,
    scopes: options.scope,
    tenant: options.tenant,
    credentials: options.credential,
    roles: options.role,
    anonymous: options.anonymous,
    acr_values: options.acr,
    max_age: options.maxAge,
    upstream: options.upstream,
    position: options.position,
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

function at(id: string): string {
  return `${ROUTES}/${encodeURIComponent(id)}`
}

async function explain(cli: Cli, method: string, url: string): Promise<ExitCode> {
  const body = { method, url }
  const answer = await call<WireExplanation>(await cli.client(), 'POST', '/v1/gateway/explain', { body })
  if (cli.out.isJson) await cli.out.json(answer)
  else {
    await cli.out.line(answer.why)
    for (const { id, misfit } of answer.tried)
      await cli.out.line(misfit === null ? `  ${id}  answers` : `  ${id}  another ${misfit}`)
    if (answer.route) await show(cli, answer.route)
  }
  return answer.route ? EXIT.ok : EXIT.failed
}

function columns(): Column<WireRoute>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'AT', cell: ({ position }) => String(position) },
    { title: 'HOST', cell: ({ host }) => host, cuttable: true },
    { title: 'PATH', cell: ({ path }) => path, cuttable: true },
    { title: 'METHODS', cell: ({ methods }) => methods.join(' ') || 'all' },
    { title: 'RESOURCE', cell: ({ resource }) => resource ?? '-', cuttable: true },
    { title: 'SCOPES', cell: ({ scopes }) => scopes.join(' ') || '-', cuttable: true },
    { title: 'TAKES', cell: (route) => takes(route) },
  ]
}

function takes({ anonymous, credentials, resource }: WireRoute) {
  if (resource === null) return { text: 'anybody', style: 'warn' } as const
  return [...(anonymous ? ['nobody'] : []), ...credentials].join(' ')
}

async function show({ out }: Cli, route: WireRoute): Promise<void> {
  if (out.isJson) return out.json(route)
  await out.card([
    ['id', route.id],
    ['tried at', String(route.position)],
    ['host', route.host],
    ['path', route.path],
    ['methods', route.methods.join(' ') || 'all'],
    ['resource', route.resource ?? '-'],
    ['scopes', route.scopes.join(' ') || '-'],
    ['tenant', route.tenant ?? 'any'],
    ['takes', takes(route)],
    ['roles', route.roles.join(' ') || undefined],
    ['sign-in', route.acr_values.join(' ') || undefined],
    ['signed in within', route.max_age === null ? undefined : duration(route.max_age)],
    ['upstream', route.upstream ?? 'the origin that was called'],
    ['from', route.source === 'file' ? 'the file of routes' : undefined],
  ])
}

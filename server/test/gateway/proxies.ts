/** The real proxies, each started on its configuration of examples/gateways as it stands there, on loopback. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const EXAMPLES = fileURLToPath(new URL('../../../examples/gateways', import.meta.url))
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

export interface ProxyVariables {
  readonly listen: number
  readonly host: string
  readonly postern: number
  readonly upstream: number
  readonly secret: string
  readonly cookie: string
}

export interface RunningProxy {
  stop(): Promise<void>
}

export interface RealProxy {
  readonly name: 'nginx' | 'caddy' | 'haproxy' | 'apache' | 'envoy'
  /** Why it cannot be started here; undefined: it can. */
  readonly missing: string | undefined
  start(variables: ProxyVariables): Promise<RunningProxy>
}

type Prepare = (folder: string, env: Readonly<Record<string, string>>) => readonly string[]

export const REAL_PROXIES: readonly RealProxy[] = [
  real('nginx', ['/usr/sbin/nginx'], (folder, env) => {
    const site = rendered('nginx/nginx.conf', env)
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    )
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/log;\nevents {}\n` +
        `http { access_log off; ${paths.join(' ')}\n${site}\n}\n`,
    )
    return ['-e', join(folder, 'log'), '-p', folder, '-c', join(folder, 'nginx.conf')]
  }),
  real('caddy', ['/usr/bin/caddy'], () => [
    'run',
    '--config',
    join(EXAMPLES, 'caddy/Caddyfile'),
    '--adapter',
    'caddyfile',
  ]),
  real('haproxy', ['/usr/sbin/haproxy'], () => ['-db', '-f', join(EXAMPLES, 'haproxy/haproxy.cfg')], {
    GATEWAY_LUA: join(EXAMPLES, 'haproxy/postern.lua'),
  }),
  real(
    'apache',
    ['/usr/sbin/apache2', '/usr/share/lua/5.3/socket.lua'],
    (folder) => {
      const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'headers', 'rewrite', 'lua']
      const loads = modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
      writeFileSync(
        join(folder, 'apache.conf'),
        `ServerRoot ${folder}\nServerName localhost\nPidFile ${folder}/pid\nErrorLog ${folder}/log\n${loads.join('\n')}\n` +
          (process.getuid?.() === 0 ? 'User www-data\nGroup www-data\n' : '') +
          `Include ${join(EXAMPLES, 'apache/apache.conf')}\n`,
      )
      return ['-DFOREGROUND', '-f', join(folder, 'apache.conf')]
    },
    { GATEWAY_LUA: join(EXAMPLES, 'apache/postern.lua') },
  ),
  real(
    'envoy',
    [[join(ROOT, '.cache/envoy/envoy/_bin/envoy'), '/usr/bin/envoy'].find(existsSync) ?? 'envoy'],
    (folder, env) => {
      writeFileSync(join(folder, 'envoy.yaml'), rendered('envoy/envoy.yaml', env))
      return [
        '-c',
        join(folder, 'envoy.yaml'),
        '--log-level',
        'error',
        '--concurrency',
        '1',
        '--disable-hot-restart',
      ]
    },
  ),
]

function real(
  name: RealProxy['name'],
  needs: readonly string[],
  prepare: Prepare,
  more: Readonly<Record<string, string>> = {},
): RealProxy {
  const absent = needs.find((file) => !existsSync(file))
  return {
    name,
    missing: absent === undefined ? undefined : `${name} cannot be started: there is no ${absent}`,
    async start({ listen, host, postern, upstream, secret, cookie }) {
      const folder = mkdtempSync(join(tmpdir(), `postern-${name}-`))
      const env = {
        GATEWAY_LISTEN: String(listen),
        GATEWAY_HOST: host,
        GATEWAY_SITE: `http://${host}:${listen}`,
        GATEWAY_SCHEME: 'http',
        GATEWAY_POSTERN: `127.0.0.1:${postern}`,
        GATEWAY_POSTERN_HOST: '127.0.0.1',
        GATEWAY_POSTERN_PORT: String(postern),
        GATEWAY_UPSTREAM: `127.0.0.1:${upstream}`,
        GATEWAY_UPSTREAM_HOST: '127.0.0.1',
        GATEWAY_UPSTREAM_PORT: String(upstream),
        GATEWAY_SECRET: secret,
        GATEWAY_COOKIE: cookie,
        ...more,
      }
      mkdirSync(join(folder, 'home'))
      const args = prepare(folder, env)
      const child = spawn(needs[0] as string, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], HOME: join(folder, 'home'), ...env },
      })
      let said = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4_000)))
      const endWithUs = (): void => void child.kill('SIGKILL')
      process.once('exit', endWithUs)
      await listening(listen, child, () => said + logOf(folder))
      return {
        async stop() {
          const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
          child.kill('SIGTERM')
          await exited
          process.off('exit', endWithUs)
          rmSync(folder, { recursive: true, force: true })
        },
      }
    },
  }
}

/** As envsubst does it: the names of variables.env and no others, since nginx has variables of its own. */
function rendered(file: string, env: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(EXAMPLES, file), 'utf8')
  return text.replaceAll(/\$\{(GATEWAY_\w+)\}/g, (whole, name: string) => env[name] ?? whole)
}

function logOf(folder: string): string {
  return existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8').slice(-2_000) : ''
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  const deadline = performance.now() + 15_000
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`${child.spawnfile} does not listen: ${said()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

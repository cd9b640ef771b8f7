/** What ARCHITECTURE.md promises about the code: who imports whom, and that no route forgets to say who may call it. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createLogger, createServer } from '../src/http/index.ts'
import { freshSqlite } from './databases.ts'
import { type Node, openNode } from './deployment.ts'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

const GROUND = ['audit', 'revocation', 'resources', 'tenants']
const CREDENTIALS = [...GROUND, 'api-keys', 'tokens', 'clients', 'identity']
const DECIDING = [...CREDENTIALS, 'limits', 'usage', 'verify']

/** Which modules a module may import, besides kernel, and by what files (see `FILES`) storage and http. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  storage: [],
  http: [],
  audit: [],
  revocation: ['audit'],
  resources: ['audit', 'revocation'],
  tenants: ['audit', 'revocation'],
  'api-keys': GROUND,
  limits: GROUND,
  usage: GROUND,
  tokens: GROUND,
  clients: GROUND,
  identity: GROUND,
  mail: [],
  leaks: [...GROUND, 'api-keys', 'tokens'],
  webhooks: [...GROUND, 'tokens'],
  revocations: CREDENTIALS,
  verify: [...CREDENTIALS, 'limits', 'usage'],
  rotation: [...GROUND, 'api-keys', 'tokens', 'clients', 'leaks', 'webhooks', 'verify'],
  oauth: DECIDING,
  gateway: DECIDING,
}
/** The composition root and the starts: they may import anything, and only each other may import them. */
const APP = new Set([
  'app.ts',
  'bootstrap.ts',
  'upkeep.ts',
  'main.ts',
  'root-secret.ts',
  'oauth-parts.ts',
  'token-parts.ts',
  'gateway-parts.ts',
  'webhook-parts.ts',
  'rotate-root-secret.ts',
  'start',
  'cli',
  'config.ts',
  'config',
])

/** Which files may use what: a pattern over the path below src. */
const FILES: Readonly<Record<string, RegExp>> = {
  // What a transaction is and how it fails concerns operations too; but never kernel or http.
  storage: /^(?!kernel\/|http\/)/,
  http: /(^|\/|-)routes\.ts$|-schema\.ts$|-(page|pages|form)\.ts$|\/present-[\w-]+\.ts$|^(app|main|oauth-parts|token-parts|gateway-parts|webhook-parts)\.ts$|^gateway\/gateway\.ts$|^start\/|^http\//,
  kysely: /^storage\/|(^|\/|-)store\.ts$|^bootstrap\.ts$/,
  fastify:
    /^http\/|(^|\/|-)routes\.ts$|-(pages|form)\.ts$|^(app|oauth-parts|token-parts|gateway-parts|webhook-parts)\.ts$/,
  pg: /^storage\//,
}

interface Import {
  readonly file: string
  readonly target: string
}

const files = globSync('**/*.{ts,js}', { cwd: SRC }).filter((file) => !isTest(file))

function isTest(file: string): boolean {
  return /\.test\.ts$|^cli\/testing\/|^http\/test-server\.ts$|test-program\.ts$|^identity\/test-[a-z]+\.ts$/.test(
    file,
  )
}

/** Without comments and without the insides of template literals, which hold examples of code. */
function codeOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/`(?:\\.|[^`\\])*`/g, '``')
}

/** Every import, type-only, dynamic and re-exporting ones too; a relative one as a path below src. */
function importsOf(file: string): Import[] {
  const found = codeOf(file).matchAll(/(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)['"]([^'"]+)['"]/g)
  return [...found].map(([, name]) => ({
    file,
    target: (name as string).startsWith('.')
      ? relative(SRC, join(SRC, dirname(file), name as string))
      : (name as string),
  }))
}

const imports = files.flatMap(importsOf)
const moduleOf = (path: string): string => path.split('/')[0] as string
const isOurs = (target: string): boolean => files.includes(target)

describe('the modules', () => {
  it('are all in the table', () => {
    const found = new Set(files.map(moduleOf))
    assert.deepEqual(
      [...found].filter((name) => !(name in MODULES) && !APP.has(name)),
      [],
    )
    assert.ok(imports.length > 300, `${imports.length} imports were found`)
    assert.ok(imports.some(({ target }) => target === 'kernel/index.ts'))
  })

  it('import only what the table allows, and only its face', () => {
    const faults = imports.filter(({ file, target }) => {
      const [from, to] = [moduleOf(file), moduleOf(target)]
      if (!isOurs(target) || from === to) return false
      if (APP.has(from) && APP.has(to)) return false
      if (APP.has(to)) return true
      if (target !== `${to}/index.ts`) return true
      if (APP.has(from)) return false
      if (to === 'kernel') return false
      if (to === 'storage' || to === 'http') return !FILES[to]?.test(file)
      return !MODULES[from]?.includes(to)
    })
    assert.deepEqual(faults, [])
  })

  it('have no cycle', () => {
    const edges = new Map<string, Set<string>>()
    for (const { file, target } of imports) {
      const [from, to] = [moduleOf(file), moduleOf(target)]
      if (!isOurs(target) || from === to || APP.has(from)) continue
      edges.set(from, (edges.get(from) ?? new Set()).add(to))
    }
    const walk = (at: string, path: readonly string[]): void => {
      assert.ok(!path.includes(at), `a cycle: ${[...path, at].join(' → ')}`)
      for (const next of edges.get(at) ?? []) walk(next, [...path, at])
    }
    for (const from of edges.keys()) walk(from, [])
    assert.ok(edges.get('verify')?.has('api-keys'))
  })

  for (const library of ['kysely', 'fastify', 'pg'])
    it(`use ${library} only where it belongs`, () => {
      const users = imports.filter(({ target }) => target === library || target.startsWith(`${library}/`))
      assert.ok(users.length > 0)
      const faults = users.filter(({ file }) => !FILES[library]?.test(file) && !/^cli\/deps\.ts$/.test(file))
      assert.deepEqual(faults, [])
    })

  it('read the environment in config alone, to which main hands it', () => {
    const readers = files.filter((file) => /\bprocess\s*\.\s*env\b|\bprocess\s*\[/.test(codeOf(file)))
    assert.deepEqual(
      readers.filter((file) => !/^config(\/|\.ts$)/.test(file)),
      ['main.ts'],
    )
    assert.equal(codeOf('main.ts').match(/process\.env/g)?.length, 1)
  })

  it('say in their face what they are for', () => {
    for (const name of Object.keys(MODULES))
      assert.match(readFileSync(join(SRC, name, 'index.ts'), 'utf8'), /^\/\*\*\s/, name)
  })
})

describe('the routes', () => {
  /** Public, and why. Everything else asks for a credential. */
  const PUBLIC: Readonly<Record<string, string>> = {
    '/': 'the front page, without secrets',
    '/docs': 'documentation',
    '/docs/errors': 'documentation',
    '/openapi.json': 'documentation',
    '/healthz': 'a load balancer asks',
    '/readyz': 'a load balancer asks',
    '/metrics': 'a scraper asks; loopback only',
    '/v1/whoami': 'it answers about the presented credential alone',
    '/v1/me/keys/:id/usage': 'the same, about keys of its owner',
    '/jwks': 'public keys',
    '/v1/keys/self/rotate': 'the key that is to be replaced is itself the credential',
    '/v1/leaks/github': 'a scanner proves itself by a signature over the body',
    '/v1/leaks/gitlab': 'a scanner proves itself by a signature over the body',
    '/sign-in': 'people sign in',
    '/sign-out': 'people sign out',
    '/assets/page.js': 'the script of the pages',
    '/account': 'asks for a sign-in on the page itself',
    '/account/passkeys': 'the same',
    '/account/password': 'the same',
    '/account/second-factor': 'the same',
    '/account/sessions': 'the same',
    '/account/connections': 'the same',
    '/sign-in/upstream/:id': 'people sign in elsewhere',
    '/sign-in/upstream/callback': 'and come back',
    '/sign-in/app': 'people sign in',
    '/.postern/sign-in': 'people sign in',
    '/.postern/callback': 'people sign in',
    '/.postern/sign-out': 'people sign out',
    ...Object.fromEntries(
      [
        '/.well-known/openid-configuration',
        '/.well-known/oauth-authorization-server',
        '/authorize',
        '/authorize/:uid',
        '/interaction/:uid',
        '/token',
        '/userinfo',
        '/introspect',
        '/revoke',
        '/par',
        '/device',
        '/device/:uid',
        '/device/authorize',
        '/session/end',
        '/session/end/confirm',
        '/session/end/success',
      ].map((url) => [url, 'OAuth: clients and users prove themselves by its own rules']),
    ),
  }
  let node: Node
  let database: ReturnType<typeof freshSqlite>
  before(async () => {
    database = freshSqlite()
    node = await openNode(database)
    // The OAuth endpoints are mounted in a context of their own, which is there once the server is ready.
    await node.deployment.server.ready()
  })
  after(async () => {
    await node.close()
    await database.drop()
  })

  it('cannot be added without an access', async () => {
    const logger = createLogger({ logLevel: 'silent', logFormat: 'json' })
    const server = createServer({ logger, authenticate: () => Promise.reject(new Error('not asked')) })
    assert.throws(() => server.get('/v1/forgotten', async () => 'secrets'), /has no access/)
    await server.close()
  })

  it('refuse whoever brings no credential, but for those in the table', async () => {
    const routes = routesOf(node.deployment.server.printRoutes({ commonPrefix: false }))
    assert.ok(routes.length > 35, `${routes.length} routes were found`)
    for (const { method, url } of routes) {
      const { statusCode } = await node.deployment.server.inject({ method, url: url.replace(/:\w+/, 'x') })
      // Of an authorization that nobody has begun there is nothing to see.
      // And nothing is said to a preflight that names no origin.
      if (url in PUBLIC)
        assert.ok(statusCode !== 404 || url.endsWith(':uid') || method === 'OPTIONS', `${method} ${url}`)
      else assert.equal(statusCode, 401, `${method} ${url}`)
    }
    const urls = new Set(routes.map(({ url }) => url))
    for (const url of Object.keys(PUBLIC)) assert.ok(urls.has(url), `${url} is in the table only`)
  })

  it('are the declared ones and the public ones, and nothing more', () => {
    const declared = new Set(
      node.deployment.server.posternHttp.routes.map(({ method, url }) => `${method} ${url}`),
    )
    const routes = routesOf(node.deployment.server.printRoutes({ commonPrefix: false }))
    const others = routes.filter(
      ({ method, url }) => method !== 'HEAD' && !declared.has(`${method} ${url}`) && !(url in PUBLIC),
    )
    assert.deepEqual(others, [])
  })
})

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'

/** Fastify's tree of routes, flat: a line is a part of a path, its depth four characters a level. */
function routesOf(tree: string): { method: Method; url: string }[] {
  const routes: { method: Method; url: string }[] = []
  const path: string[] = []
  for (const line of tree.split('\n')) {
    const match = /^((?:[│ ] {3})*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?/.exec(line)
    if (!match) continue
    const depth = (match[1] as string).length / 4
    path.splice(depth, path.length, match[2] as string)
    const url = path.join('')
    for (const method of (match[3] ?? '').split(', ').filter((one) => one !== ''))
      routes.push({ method: method as Method, url })
  }
  return routes
}

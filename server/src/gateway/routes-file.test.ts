/** Routes as configuration: what a file may say, and that it goes before the management API. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { freshSqlite } from '../../test/databases.ts'
import { API, openGatewayServer } from '../../test/gateway/protected.ts'
import { RouteTable } from './match-routes.ts'
import { checkRoute, type GatewayRoute, ROUTE_DEFAULTS } from './route.ts'
import { readRoutesFile } from './routes-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-routes-'))
after(() => rmSync(folder, { recursive: true, force: true }))
function file(text: string): string {
  const name = join(folder, 'routes.toml')
  writeFileSync(name, text)
  return name
}

it('goes before the routes of the management API, and cannot be changed by it', async () => {
  const database = freshSqlite()
  const name = file(
    `[[routes]]\nhost = "app.example.com"\npath = "/admin"\nresource = "${API}"\nscopes = ["orders:write"]\n`,
  )
  const server = await openGatewayServer(database, { env: { POSTERN_GATEWAY_ROUTES: name } })
  await server.manage('POST', '/v1/gateway/routes', { host: 'app.example.com', anonymous: true, position: 0 })
  const explain = async (path: string) =>
    (
      await server.manage('POST', '/v1/gateway/explain', {
        method: 'GET',
        url: `https://app.example.com${path}`,
      })
    ).route
  assert.deepEqual([(await explain('/admin/x')).id, (await explain('/admin/x')).source], ['file:1', 'file'])
  assert.equal((await explain('/other')).source, 'api')
  const { data } = await server.manage('GET', '/v1/gateway/routes')
  assert.deepEqual(
    data.map(({ source }: { source: string }) => source),
    ['file', 'api'],
  )
  await assert.rejects(server.manage('DELETE', '/v1/gateway/routes/file:1'), /404/)
  await server.close()
  await database.drop()
})

it('stops the start with a sentence that says which route is wrong, and what', () => {
  for (const [text, fault] of [
    ['[[routes]]\nhost = "App.example.com"\nanonymous = true', /route 1: A host is a name in lower case/],
    ['[[routes]]\npath = "/"', /route 1: "host" is missing/],
    ['[[routes]]\nhost = "a"\nanonymus = true', /route 1: "anonymus" is not known/],
    ['[[routes]]\nhost = "a"\nanonymous = "yes"', /route 1: "anonymous" must be true or false/],
    ['[[routes]]\nhost = "a"\nanonymous = true\n[[routes]]\nhost = "b"', /route 2: Only an anonymous route/],
    ['[[routes]]\nhost = "a"\nanonymous = true\npath = "/a/../b"', /route 1: A path starts with/],
    ['routs = 1', /has "routs"/],
    ['[[', /cannot be read/],
  ] as const)
    assert.throws(() => readRoutesFile(file(text), 0), fault, text)
})

it('matches prefixes on the boundary of segments, and patterns of the whole path', () => {
  const fits = (path: string, called: string, host = 'a.example.com', pattern = 'a.example.com'): boolean => {
    const route: GatewayRoute = {
      ...ROUTE_DEFAULTS,
      anonymous: true,
      host: pattern,
      path,
      id: 'rte_1',
      position: 0,
      createdAtMs: 0,
      updatedAtMs: 0,
    }
    checkRoute(route)
    return new RouteTable([route]).match({ method: 'GET', host, path: called }) !== undefined
  }
  for (const [path, called, expected] of [
    ['/', '/anything', true],
    ['/orders', '/orders', true],
    ['/orders', '/orders/7', true],
    ['/orders', '/orders2', false],
    ['/orders/', '/orders', true],
    ['/orders/', '/orders/7', true],
    ['/v1/*/invoices', '/v1/acme/invoices', true],
    ['/v1/*/invoices', '/v1/acme/invoices/7', false],
    ['/v1/*/invoices', '/v1//invoices', false],
    ['/v1/*/invoices', '/v1/a/b/invoices', false],
    ['/files/**', '/files', true],
    ['/files/**', '/files/a/b', true],
    ['/files/**', '/file', false],
  ] as const)
    assert.equal(fits(path, called), expected, `${path} ${called}`)
  assert.ok(fits('/', '/', 'b.example.com', '*.example.com'))
  assert.ok(!fits('/', '/', 'a.b.example.com', '*.example.com'))
  assert.ok(!fits('/', '/', 'example.com', '*.example.com'))
})

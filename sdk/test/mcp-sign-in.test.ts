/**
 * Both MCP SDKs, unchanged, sign in to an MCP server that Postern protects: 401, metadata of the resource, metadata of the
 * authorization server, registration, authorization code with PKCE and `resource`, token, tool, refresh, step-up.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { Browser } from '../../server/test/browser.ts'
import { freshSqlite, type TestDatabase } from '../../server/test/databases.ts'
import { claimsOf, type Json, openOAuthServer, type OAuthServer } from '../../server/test/oauth-server.ts'
import {
  CALLBACK,
  CLIENT_METADATA,
  ClientMemory,
  type Connect,
  newerClient,
  olderClient,
  type Session,
} from './support/mcp-clients.ts'
import { type McpService, withNewerSdk, withOlderSdk } from './support/mcp-servers.ts'
import { trustedIdentity } from './support/self-signed.ts'

/** One for the whole process: two with one name would be taken for each other. */
const IDENTITY = trustedIdentity()
const PASSWORD = 'correct horse battery'
const CLIENTS: Readonly<Record<string, Connect>> = {
  '@modelcontextprotocol/sdk': olderClient,
  '@modelcontextprotocol/client': newerClient,
}
const SERVERS = { '@modelcontextprotocol/sdk': withOlderSdk, '@modelcontextprotocol/server': withNewerSdk }

for (const [serverName, start] of Object.entries(SERVERS))
  describe(`an MCP server with ${serverName}`, () => {
    let database: TestDatabase
    let postern: OAuthServer
    let mcp: McpService
    let documents: Awaited<ReturnType<typeof serveClientDocument>>
    let user: Json
    let tenant: string

    before(async () => {
      database = freshSqlite()
      postern = await openOAuthServer(database)
      documents = await serveClientDocument()
      mcp = await start(async (url) => {
        const scopes = ['notes:read', 'notes:write'].map((name) => ({ name, description: `May ${name}` }))
        await postern.manage('POST', '/v1/resources', { uri: url, name: 'Notes', scopes })
        const operator = { name: 'notes', scopes: ['verify'], resources: [url] }
        const { key } = await postern.manage('POST', '/v1/operators', operator)
        return { issuer: postern.issuer, credential: key }
      })
      user = await postern.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
      await postern.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
      tenant = (await registeredClient()).tenant
      await postern.manage('PUT', `/v1/users/${user.id}/tenants/${tenant}`, { roles: [] })
    })
    after(async () => {
      mcp.close()
      documents.close()
      await postern.close()
      await database.drop()
    })

    const registeredClient = (): Promise<Json> =>
      postern.manage('POST', '/v1/clients', {
        name: 'An MCP client',
        kind: 'native',
        redirect_uris: [CALLBACK],
        resources: [{ resource: mcp.url }],
      })

    const registered = (clientId: string) => new ClientMemory({ clientId, issuer: postern.issuer })

    /** The user signs in where the client sent them, and allows it. */
    const allow = async (url: URL | undefined): Promise<URLSearchParams> => {
      assert.ok(url, 'the client asked nobody to sign in')
      assert.equal(url.searchParams.get('resource'), mcp.url)
      assert.equal(url.searchParams.get('code_challenge_method'), 'S256')
      const browser = new Browser(postern)
      const consent = await browser.submit(await browser.visit(url.href), {
        identifier: 'ada',
        password: PASSWORD,
      })
      const back = consent.url.startsWith(CALLBACK)
        ? consent
        : await browser.submit(consent, { decision: 'allow' })
      assert.ok(back.url.startsWith(CALLBACK), back.text)
      return new URL(back.url).searchParams
    }

    const signIn = async (connect: Connect, memory: ClientMemory): Promise<Session> => {
      const first = connect(mcp.url, memory)
      await assert.rejects(first.connect(), { name: /Error/ })
      await first.finish(await allow(memory.asked))
      await first.close()
      const session = connect(mcp.url, memory)
      await session.connect()
      return session
    }

    /** With an access token that is no longer good, the next call gets another one, and asks nobody. */
    const refreshes = async (session: Session, memory: ClientMemory): Promise<void> => {
      const { kept } = memory
      assert.ok(kept?.refresh_token)
      memory.kept = { ...kept, access_token: 'no longer good' }
      memory.asked = undefined
      assert.match(await session.call('whoami'), /^usr_/)
      assert.equal(memory.asked, undefined)
      assert.notEqual(memory.kept.refresh_token, kept.refresh_token)
    }

    for (const [clientName, connect] of Object.entries(CLIENTS)) {
      it(`lets ${clientName} in that is registered, and refreshes its token`, async () => {
        const { id } = await registeredClient()
        const memory = registered(id)
        const session = await signIn(connect, memory)
        assert.equal(memory.asked?.searchParams.get('client_id'), id)
        assert.equal(await session.call('whoami'), `${user.id} through ${id}`)
        const claims = claimsOf(String(memory.kept?.access_token))
        assert.equal(claims.aud, mcp.url)
        assert.equal(claims.scope, 'notes:read')

        await refreshes(session, memory)
        await session.close()
      })

      it(`lets ${clientName} in that is described by its own document`, async () => {
        const memory = new ClientMemory({ metadataUrl: documents.url })
        const session = await signIn(connect, memory)
        assert.equal(memory.asked?.searchParams.get('client_id'), documents.url)
        assert.equal(await session.call('whoami'), `${user.id} through ${documents.url}`)
        await refreshes(session, memory)
        await session.close()
      })

      it(`lets ${clientName} in that registers itself, where the deployment allows that`, async (t) => {
        const discovery = await fetch(`${postern.issuer}/.well-known/oauth-authorization-server`)
        const { registration_endpoint: endpoint } = (await discovery.json()) as Json
        if (endpoint === undefined) return t.skip('no dynamic registration')
        const memory = new ClientMemory()
        const session = await signIn(connect, memory)
        assert.equal(await session.call('whoami'), `${user.id} through ${memory.information?.client_id}`)
        await refreshes(session, memory)
        await session.close()
      })
    }

    it('asks @modelcontextprotocol/client for more where a tool needs more, without losing what it had', async () => {
      const memory = registered((await registeredClient()).id)
      const session = await signIn(newerClient, memory)
      memory.asked = undefined
      await assert.rejects(session.call('add_note', { note: 'tea' }))
      assert.equal(scopesAsked(memory), 'notes:read notes:write')
      await session.finish(await allow(memory.asked))
      assert.equal(await session.call('add_note', { note: 'tea' }), 'added tea')
      await session.close()
    })

    it('tells the client of @modelcontextprotocol/sdk so, too, which refreshes and then reports it', async () => {
      const memory = registered((await registeredClient()).id)
      const session = await signIn(olderClient, memory)
      memory.asked = undefined
      await assert.rejects(session.call('add_note', { note: 'tea' }), { code: 403 })
      assert.equal(memory.asked, undefined)
      await session.close()
    })

    it('refuses the token of a user who has been disabled', async () => {
      const memory = registered((await registeredClient()).id)
      const session = await signIn(newerClient, memory)
      const status = async () => {
        const headers = { authorization: `Bearer ${memory.kept?.access_token}` }
        return (await fetch(mcp.url, { method: 'POST', headers })).status
      }
      assert.notEqual(await status(), 401)
      await postern.manage('POST', `/v1/users/${user.id}/disable`)
      assert.equal(await status(), 401)
      await postern.manage('POST', `/v1/users/${user.id}/enable`)
      await session.close()
    })
  })

function scopesAsked({ asked }: ClientMemory): string | undefined {
  const scopes = asked?.searchParams.get('scope')?.split(' ') ?? []
  return scopes
    .filter((scope) => scope !== 'offline_access')
    .sort()
    .join(' ')
}

/** A client metadata document has to be on https; this one is on loopback, which a deployment on loopback takes. */
async function serveClientDocument() {
  const server = createServer(IDENTITY, (request, response) => {
    const document = { ...CLIENT_METADATA, client_id: url, client_uri: url }
    const found = request.url === '/client.json'
    response
      .writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
      .end(JSON.stringify(document))
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  const url = `https://localhost:${(server.address() as AddressInfo).port}/client.json`
  return {
    url,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

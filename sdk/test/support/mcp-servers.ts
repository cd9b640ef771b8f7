/** One MCP server, behind Postern, in each of the two MCP SDKs: `whoami` for any caller, `add_note` with notes:write. */
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer as OlderMcpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createMcpHandler, McpServer, requireScopes } from '@modelcontextprotocol/server'
import express from 'express'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'
import { createGuard, principalOf, serveMetadata } from '../../src/adapters/mcp.ts'
import { createVerifier, protectedResource, type Principal } from '../../src/index.ts'

export interface McpService {
  readonly url: string
  readonly close: () => void
}

/** What a test says of the deployment, once the URL of the MCP server is known. */
export type Register = (url: string) => Promise<{ readonly issuer: string; readonly credential: string }>

type Build = (app: express.Express, guard: express.RequestHandler) => void

const text = (words: string) => ({ content: [{ type: 'text' as const, text: words }] })
const describe = ({ sub, clientId }: Principal) => text(`${sub} through ${clientId ?? 'a key'}`)

/** `@modelcontextprotocol/sdk`: the guard reads which tool is called. */
export const withOlderSdk = (register: Register): Promise<McpService> =>
  serve(register, { add_note: 'notes:write' }, (app, guard) => {
    app.all('/mcp', guard, async (req, res) => {
      const server = new OlderMcpServer({ name: 'notes', version: '1.0.0' })
      server.registerTool('whoami', { description: 'Who calls' }, ({ authInfo }) =>
        describe(principalOf(authInfo)),
      )
      server.registerTool(
        'add_note',
        { description: 'Adds', inputSchema: { note: z.string() } },
        ({ note }) => text(`added ${note}`),
      )
      const transport = new StreamableHTTPServerTransport()
      res.on('close', () => void server.close())
      await server.connect(transport as never)
      await transport.handleRequest(req as never, res, req.body)
    })
  })

/** `@modelcontextprotocol/server`: the tool itself says what it needs. */
export const withNewerSdk = (register: Register): Promise<McpService> =>
  serve(register, {}, (app, guard) => {
    const handler = createMcpHandler(() => {
      const server = new McpServer({ name: 'notes', version: '1.0.0' })
      server.registerTool('whoami', { description: 'Who calls' }, (context) =>
        describe(principalOf(context.http?.authInfo)),
      )
      server.registerTool(
        'add_note',
        {
          description: 'Adds',
          inputSchema: z.object({ note: z.string() }),
          scopeChallenge: requireScopes('notes:read', 'notes:write'),
        },
        ({ note }) => text(`added ${note}`),
      )
      return server
    })
    const answer = toNodeHandler(handler)
    app.all('/mcp', guard, (req, res) => void answer(req as never, res as never))
  })

async function serve(
  register: Register,
  toolScopes: Record<string, string>,
  build: Build,
): Promise<McpService> {
  const app = express()
  const server = await new Promise<Server>((resolve) => {
    const listening: Server = app.listen(0, 'localhost', () => resolve(listening))
  })
  const url = `http://localhost:${(server.address() as AddressInfo).port}/mcp`
  const { issuer, credential } = await register(url)
  const resource = protectedResource({
    resource: url,
    authorizationServers: issuer,
    scopes: ['notes:read', 'notes:write'],
    name: 'Notes',
  })
  const verifier = createVerifier({ server: issuer, credential, resource: url, cacheSeconds: 0 })
  app.use(serveMetadata(resource))
  const guard = createGuard(verifier, { protectedResource: resource, scopes: 'notes:read', toolScopes })
  build(app, guard as never)
  return {
    url,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** An MCP server with two tools: `list_notes` needs `notes:read`, `add_note` needs `notes:write` as well. */
import { serve } from '@hono/node-server'
import { createMcpHandler, McpServer, requireScopes } from '@modelcontextprotocol/server'
import { createVerifier, protectedResource } from '@postern/sdk'
import { principalOf, protect } from '@postern/sdk/mcp'
import * as z from 'zod'

const issuer = process.env.POSTERN_SERVER ?? 'http://localhost:4800'
const notesApi = protectedResource({
  resource: process.env.POSTERN_RESOURCE ?? 'http://localhost:3000/mcp',
  authorizationServers: issuer,
  scopes: ['notes:read', 'notes:write'],
  name: 'Notes',
})
const verifier = createVerifier({
  server: issuer,
  credential: process.env.POSTERN_CREDENTIAL,
  resource: notesApi.resource,
})

interface Note {
  readonly tenant: string
  readonly writtenBy: string
  readonly text: string
}
const notes: Note[] = []

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'notes', version: '1.0.0' })

  server.registerTool(
    'list_notes',
    { description: "Lists the notes of the caller's tenant." },
    ({ http }) => {
      const { tenant } = principalOf(http?.authInfo)
      const lines = notes
        .filter((note) => note.tenant === tenant)
        .map(({ writtenBy, text }) => `${writtenBy}: ${text}`)
      return { content: [{ type: 'text', text: lines.join('\n') || 'No notes yet.' }] }
    },
  )

  server.registerTool(
    'add_note',
    {
      description: 'Adds a note.',
      inputSchema: z.object({ text: z.string().min(1).max(1000) }),
      // A caller without it is asked to sign in again, for both.
      scopeChallenge: requireScopes('notes:read', 'notes:write'),
    },
    ({ text }, { http }) => {
      const { tenant, sub } = principalOf(http?.authInfo)
      notes.push({ tenant, writtenBy: sub, text })
      return { content: [{ type: 'text', text: 'Added.' }] }
    },
  )
  return server
})

// It serves the metadata that clients sign in by, too.
const fetch = protect(verifier, handler.fetch, { protectedResource: notesApi, scopes: 'notes:read' })

serve({ fetch, port: Number(process.env.PORT ?? 3000) }, (address) => {
  console.log('MCP server listening on', address)
})

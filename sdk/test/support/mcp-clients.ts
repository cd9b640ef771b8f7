/** Both MCP SDKs' clients, as they come. What they keep is kept in memory; where they would open a browser, they note it. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as OlderClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OlderTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

export const CALLBACK = 'http://localhost:4123/callback'

/** What an MCP client says of itself. */
export const CLIENT_METADATA = {
  client_name: 'An MCP client',
  redirect_uris: [CALLBACK],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

interface Tokens {
  access_token: string
  token_type: string
  refresh_token?: string
  scope?: string
}

/** `OAuthClientProvider` of both SDKs. */
export class ClientMemory {
  readonly redirectUrl = CALLBACK
  readonly clientMetadata = CLIENT_METADATA
  readonly clientMetadataUrl?: string
  information: { client_id: string; issuer?: string } | undefined
  kept: Tokens | undefined
  /** Where the user was sent. */
  asked: URL | undefined
  #verifier = ''
  #discovery: unknown

  constructor(
    registration: {
      readonly clientId?: string
      readonly issuer?: string
      readonly metadataUrl?: string
    } = {},
  ) {
    const { clientId, issuer } = registration
    if (clientId !== undefined) this.information = { client_id: clientId, ...(issuer && { issuer }) }
    if (registration.metadataUrl !== undefined) this.clientMetadataUrl = registration.metadataUrl
  }

  state = () => 'a state'
  clientInformation = () => this.information
  saveClientInformation = (information: { client_id: string }) => void (this.information = information)
  tokens = () => this.kept
  saveTokens = (tokens: Tokens) => void (this.kept = tokens)
  redirectToAuthorization = (url: URL) => void (this.asked = url)
  saveCodeVerifier = (verifier: string) => void (this.#verifier = verifier)
  codeVerifier = () => this.#verifier
  saveDiscoveryState = (state: unknown) => void (this.#discovery = state)
  discoveryState = () => this.#discovery
}

/** The parts of a client that a test uses. */
export interface Session {
  readonly connect: () => Promise<void>
  /** With the parameters that the browser brought back. */
  readonly finish: (callback: URLSearchParams) => Promise<void>
  /** The text that the tool answers. */
  readonly call: (tool: string, parameters?: Record<string, unknown>) => Promise<string>
  readonly close: () => Promise<void>
}

export type Connect = (url: string, memory: ClientMemory) => Session

const IDENTITY = { name: 'test', version: '1.0.0' }

export const olderClient: Connect = (url, memory) => {
  const client = new OlderClient(IDENTITY)
  const transport = new OlderTransport(new URL(url), { authProvider: memory as never })
  return {
    connect: () => client.connect(transport as never),
    finish: (callback) => transport.finishAuth(callback.get('code') ?? ''),
    call: async (name, parameters = {}) => textOf(await client.callTool({ name, arguments: parameters })),
    close: () => client.close(),
  }
}

export const newerClient: Connect = (url, memory) => {
  const client = new Client(IDENTITY)
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: memory as never })
  return {
    connect: () => client.connect(transport),
    finish: (callback) => transport.finishAuth(callback),
    call: async (name, parameters = {}) => textOf(await client.callTool({ name, arguments: parameters })),
    close: () => client.close(),
  }
}

function textOf(answer: object): string {
  return (answer as { content?: { text: string }[] }).content?.[0]?.text ?? ''
}

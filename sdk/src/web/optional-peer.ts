/**
 * `openid-client` and `jose` are for those who sign users in, and peers of the package: they are loaded when the first
 * request needs them, so that whoever only verifies installs neither.
 */
import type * as Jose from 'jose'
import type * as OpenidClient from 'openid-client'

interface Peers {
  readonly jose: typeof Jose
  readonly 'openid-client': typeof OpenidClient
}

const LOAD: { readonly [Name in keyof Peers]: () => Promise<Peers[Name]> } = {
  jose: () => import('jose'),
  'openid-client': () => import('openid-client'),
}

export async function optionalPeer<Name extends keyof Peers>(name: Name): Promise<Peers[Name]> {
  try {
    return await LOAD[name]()
  } catch (cause) {
    throw new Error(`@postern/sdk/web needs ${name}: npm install openid-client jose`, { cause })
  }
}

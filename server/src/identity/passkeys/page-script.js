/**
 * What pages do with JavaScript: passkeys, and showing a password that was typed. It stands behind the library
 * (SimpleWebAuthnBrowser) in one file; everything that it shows is there and hidden until it runs.
 */
;(() => {
  'use strict'
  const passkeys = globalThis.SimpleWebAuthnBrowser

  for (const button of document.querySelectorAll('[data-shows]')) {
    const input = document.getElementById(button.dataset.shows)
    button.hidden = false
    button.addEventListener('click', () => {
      const shown = input.type === 'password'
      input.type = shown ? 'text' : 'password'
      button.setAttribute('aria-pressed', String(shown))
    })
  }

  if (!passkeys.browserSupportsWebAuthn()) return

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    const optionsJSON = JSON.parse(form.dataset.passkey)
    const register = 'user' in optionsJSON
    const begin = register ? passkeys.startRegistration : passkeys.startAuthentication
    const said = form.querySelector('[role=status]')
    const send = (answer) => {
      form.elements.passkey.value = JSON.stringify(answer)
      form.submit()
    }
    form.hidden = false
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      said.textContent = ''
      begin({ optionsJSON }).then(send, (error) => {
        // The person closed the browser's question: nothing to say.
        if (error.name !== 'AbortError')
          said.textContent = form.dataset[error.name === 'InvalidStateError' ? 'known' : 'failed']
      })
    })
    // The browser offers passkeys where it offers passwords, and says nothing where there are none.
    if (!register && 'autofill' in form.dataset)
      passkeys
        .browserSupportsWebAuthnAutofill()
        .then((can) => can && begin({ optionsJSON, useBrowserAutofill: true }).then(send))
        .catch(() => {})
  }
})()

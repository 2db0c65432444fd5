'use strict';
// Waits for the word to move on a descriptor that the program does not see. That is all that a
// program has of this before it is asked: the rest is loaded when the word comes.

const { internalBinding } = require('./internals');

const CAPTURE = 0x63;  // `c`

function listen(control, images) {
  const { Pipe, constants } = internalBinding('pipe_wrap');
  const { streamBaseState, kReadBytesOrError } = internalBinding('stream_wrap');
  const handle = new Pipe(constants.SOCKET);
  handle.open(control);
  handle.unref();
  let trigger;
  handle.onread = (buffer) => {
    if (streamBaseState[kReadBytesOrError] <= 0) { handle.close(); return; }
    if (!new Uint8Array(buffer).includes(CAPTURE)) return;
    try {
      const { Trigger } = require('./moving/trigger');
      trigger ??= new Trigger(handle, control, images);
    } catch {
      handle.close();  // The program has broken what we need to answer with.
      return;
    }
    trigger.begin();
  };
  handle.readStart();
}

module.exports = { listen };

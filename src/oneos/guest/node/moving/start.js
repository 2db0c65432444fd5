'use strict';
// What lets the program be moved: `control` is the socket on which it is asked, `images` memory for
// its image. With `begins` it begins as the image that is in there.
//
// Restored, the program stands still: it says `r` on the socket and goes on at a byte `g`; at
// anything else it ends here and has run nothing. A refusal is answered as to a capture.

const { listen } = require('./moving/door');
const { rememberGlobals } = require('./moving/globals');

function begin(control, images) {
  const { answer, readByte, readImage, refusalOf } = require('./moving/trigger');
  try {
    require('./moving/restore').restore(readImage(images));
  } catch (error) {
    answer(control, 'n', refusalOf(error));
    process.reallyExit(1);
  }
  answer(control, 'r', Buffer.alloc(0));
  if (readByte(control) !== 'g') process.reallyExit(0);
}

function install({ control, images, begins }) {
  rememberGlobals();
  listen(control, images);
  if (begins) require('./moving/instead').runInstead(() => begin(control, images));
}

// From `CONTROL:IMAGES` or `CONTROL:IMAGES:begin`.
function parse(text) {
  const [control, images, begins] = text.split(':');
  return { control: Number(control), images: Number(images), begins: begins === 'begin' };
}

module.exports = { install, parse };

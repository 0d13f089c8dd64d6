// A picture is made small before it is sent: a square of 320 pixels as JPEG, without what the camera wrote beside it.

const SIDE = 320;

/** Wire every form with `data-shrinks` that comes onto the page. */
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const [file] = form.querySelector('input[type="file"]')?.files ?? [];
  if (!("shrinks" in form.dataset) || !file) return;
  event.preventDefault();
  const input = form.querySelector('input[type="file"]');
  const small = new DataTransfer();
  small.items.add(await shrunk(file));
  input.files = small.files;
  form.submit();
});

async function shrunk(file) {
  const picture = await createImageBitmap(file);
  const side = Math.min(picture.width, picture.height);
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  canvas.getContext("2d").drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
  return new File([blob], "photo.jpg", { type: "image/jpeg" });
}

#!/bin/bash
# Runs where GIMP is: a photo in a window, procedures found by their names, OK, one Ctrl+Z each.
# usage: window.sh PHOTO SHOTS DISPLAY
set -u
photo=$1 shots=$2
export DISPLAY=:$3
Xvfb "$DISPLAY" -screen 0 1440x900x24 > /dev/null 2>&1 &
x=$!
trap 'kill $gimp $x 2> /dev/null' EXIT
sleep 1
openbox > /dev/null 2>&1 &
gimp-3.0 --no-splash "$photo" > "$shots/gimp.log" 2>&1 &
gimp=$!
name=$(basename "${photo%.*}")

# waits for a window whose title holds $1, up to $2 seconds; prints its number
window() {
    for _ in $(seq $((5 * $2))); do
        found=$(xdotool search --name "$1" 2> /dev/null | tail -1)
        [ -n "$found" ] && echo "$found" && return 0
        sleep 0.2
    done
    echo "no window '$1'; there are:" >&2
    xdotool search --name "." getwindowname %@ >&2
    scrot -o "$shots/failed.png"
    return 1
}

main=$(window "$name.*1 layer" 120) || exit 1
sleep 4
# A new profile is welcomed, before everything else.
xdotool search --name "^Welcome to GIMP" windowunmap 2> /dev/null
xdotool windowsize "$main" 1440 860 windowmove "$main" 0 0 windowactivate --sync "$main"
sleep 1
xdotool key alt+r
sleep 1
# The last entry, and its own menu.
xdotool key Up
sleep 0.5
xdotool key Right
sleep 1
scrot -o "$shots/menu.png"
xdotool key Escape Escape Escape Escape
sleep 1

# finds the action $1 by its name, and prints the number of its dialog, called $2
opened() {
    xdotool windowactivate --sync "$main" key slash
    sleep 2
    xdotool type --delay 80 "$1"
    sleep 2
    xdotool key Return
    window "^$2$" 60
}

dialog=$(opened bokeh Bokeh) || exit 1
# The preview's first picture, made meanwhile.
sleep 12
scrot -o "$shots/dialog.png"
xdotool windowactivate --sync "$dialog" key alt+o
window "$name.*2 layers" 180 > /dev/null || exit 1
echo "made"
sleep 1
scrot -o "$shots/result.png"
xdotool windowactivate --sync "$main" key ctrl+z
window "$name.*1 layer)" 20 > /dev/null || exit 1
echo "undone"
scrot -o "$shots/undone.png"

# GIMP marks a changed image with an asterisk: one step back, and it is as it was opened.
while IFS=: read -r action title; do
    dialog=$(opened "$action" "$title") || exit 1
    sleep 2
    xdotool windowactivate --sync "$dialog" key alt+o
    window "^[*].*$name" 180 > /dev/null || exit 1
    sleep 1
    xdotool windowactivate --sync "$main" key ctrl+z
    window "^[^*]*$name.*1 layer" 20 > /dev/null || exit 1
    echo "$action undone"
done << 'END'
magnify:Magnify Defocus
focus map:Focus Map
deblur:Deblur Regions
END

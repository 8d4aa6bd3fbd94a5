#!/usr/bin/env bash
# Makes the videos that the simulated Earth Engine delivers, with Debian's ffmpeg (apt-get install ffmpeg; made with 5.1).
# videos.json lists what ffprobe reads in each playable one: tests compare the service's reader with it.
#
# The time units of the tracks and of the movie are the same, so deliver.ts can change a video's rate by changing both.
set -euo pipefail
cd "$(dirname "$0")"

encode() { # file, size, frames, options of the container
  local file=$1 size=$2 frames=$3
  shift 3
  ffmpeg -hide_banner -loglevel error -y \
    -f lavfi -i "gradients=size=$size:rate=10:n=4:c0=0x12306b:c1=0x1f7a4d:c2=0xd8c27a:c3=0x7a3b1d:seed=7:speed=0.05" \
    -frames:v "$frames" -c:v libx264 -preset veryslow -crf 36 -pix_fmt yuv420p -x264-params no-info=1 -threads 1 \
    -fflags +bitexact -flags:v +bitexact -map_metadata -1 -video_track_timescale 12800 -movie_timescale 12800 \
    "$@" "$file"
}

for size in 320x180 768x432 1280x720 1920x1080; do
  encode "${size%x*}.mp4" "$size" 12 -movflags +faststart
done
encode index-last.mp4 768x432 12
encode fragmented.mp4 768x432 12 -g 4 -movflags +frag_keyframe+empty_moov+default_base_moof
encode one-frame.mp4 768x432 1 -movflags +faststart
# Long enough that its frames are not read together with its index.
encode long.mp4 320x180 900 -movflags +faststart
encode long-index-last.mp4 320x180 900

head -c 4000 768.mp4 >truncated.mp4
head -c 4000 index-last.mp4 >truncated-index-last.mp4
printf '<!doctype html>\n<title>503</title>\n<p>This is not a video.\n' >not-a-video.mp4

for file in *.mp4; do
  case $file in truncated*.mp4 | not-a-video.mp4) continue ;; esac
  ffprobe -hide_banner -loglevel error -count_packets -select_streams v:0 -of json \
    -show_entries stream=width,height,avg_frame_rate,nb_read_packets,codec_tag_string "$file" |
    tr -d ' \n' | sed -E "s/.*\"streams\":\[(\{[^}]*\}).*/  \"${file%.mp4}\": \1/"
  echo
done | sed '$!s/$/,/' | { echo '{'; cat; echo '}'; } >videos.json

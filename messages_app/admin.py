"""Django's admin: sessions and channels to edit, polls and messages to look at."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from messages_app.errors import UsageError
from messages_app.models import Channel, Feed, Message, Poll, Revision, Session
from messages_app.scheduling import check_schedule, reopen_if_unswept
from messages_app.windows import Window


class ReadOnlyMixin:
    """Shows without letting anything be changed."""

    def has_add_permission(self, *_args: object) -> bool:
        return False

    def has_change_permission(self, *_args: object) -> bool:
        return False

    def has_delete_permission(self, *_args: object) -> bool:
        return False


class SessionForm(forms.ModelForm):
    """A session's title and times, with the checks that the command line makes."""

    allow_overlap = forms.BooleanField(
        required=False, help_text="even if another session overlaps, though one is polled at a time"
    )

    class Meta:
        model = Session
        fields = ("title", "start_time", "end_time")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("start_time") and data.get("end_time"):
            window = Window(data["start_time"], data["end_time"])
            try:
                check_schedule(
                    data.get("title", ""),
                    window,
                    self.instance if self.instance.pk else None,
                    allow_overlap=data["allow_overlap"],
                )
            except UsageError as error:
                raise ValidationError(str(error)) from None
        return data


class FeedInline(admin.TabularInline):
    model = Feed
    fields = ("channel", "failures", "next_attempt_at", "error")
    readonly_fields = ("failures", "next_attempt_at", "error")
    extra = 1


@admin.register(Session)
class SessionAdmin(admin.ModelAdmin):
    form = SessionForm
    inlines = (FeedInline,)
    list_display = ("title", "start_time", "end_time", "closed_at", "given_up")
    list_filter = ("given_up",)
    search_fields = ("title",)
    date_hierarchy = "start_time"

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        moved = {"start_time", "end_time"} & set(form.changed_data)
        reopen_if_unswept(form.instance, moved=change and bool(moved))


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):
    list_display = ("discord_id", "name", "category", "guild_name")
    search_fields = ("discord_id", "name", "guild_name")


@admin.register(Poll)
class PollAdmin(ReadOnlyMixin, admin.ModelAdmin):
    list_display = ("started_at", "feed", "purpose", "window", "succeeded", "tally", "error_kind")
    list_filter = ("succeeded", "purpose", "error_kind")
    list_select_related = ("feed__session", "feed__channel")
    show_full_result_count = False


class RevisionInline(ReadOnlyMixin, admin.TabularInline):
    model = Revision


@admin.register(Message)
class MessageAdmin(ReadOnlyMixin, admin.ModelAdmin):
    list_display = ("timestamp", "channel", "author_name", "content", "edited_at", "deleted_at")
    list_select_related = ("channel",)
    inlines = (RevisionInline,)
    # Counting millions of rows would take longer than the page.
    show_full_result_count = False

"""Django's admin: sessions and channels to edit, polls and messages to look at."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from messages_app.errors import PollerError, UsageError
from messages_app.models import Channel, Feed, Message, Poll, Revision, Session
from messages_app.scheduling import check_schedule, reopen_if_unswept
from messages_app.snowflakes import LARGEST_ID
from messages_app.windows import Window

# A list that may have millions of rows shows this many of them: counting all takes longer than
# the page, and nobody turns that many pages.
LISTED_ROWS = 10_000


class ReadOnlyMixin:
    """Shows without letting anything be changed."""

    def has_add_permission(self, *_args: object) -> bool:
        return False

    def has_change_permission(self, *_args: object) -> bool:
        return False

    def has_delete_permission(self, *_args: object) -> bool:
        return False


class BoundedPaginator(Paginator):
    """Pages through the first LISTED_ROWS rows, and counts no further."""

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list[:LISTED_ROWS].count()


class ErrorKindFilter(admin.SimpleListFilter):
    """Polls by what went wrong, offered without looking at every poll for the kinds there are."""

    title = "error"
    parameter_name = "error_kind"

    def lookups(self, *_args: object) -> list[tuple[str, str]]:
        return [
            (kind, kind) for kind in sorted({each.kind for each in PollerError.__subclasses__()})
        ]

    def queryset(self, _request: HttpRequest, polls: QuerySet) -> QuerySet:
        return polls.filter(error_kind=self.value()) if self.value() else polls


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
            session = self.instance if self.instance.pk else None
            is_moved = session is None or {"start_time", "end_time"} & set(self.changed_data)
            try:
                check_schedule(
                    data.get("title", ""),
                    window,
                    session,
                    allow_overlap=data["allow_overlap"] or not is_moved,
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

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """The session; as it stays until it is saved, where it is going to be."""
        if request.method == "POST" and object_id.isdecimal():
            Session.objects.locked(int(object_id))
        return super().get_object(request, object_id, from_field)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        moved = {"start_time", "end_time"} & set(form.changed_data)
        reopen_if_unswept(form.instance, moved=change and bool(moved))


class ChannelForm(forms.ModelForm):
    """A channel, whose id is one that Discord may have given."""

    discord_id = forms.IntegerField(
        label="Discord id", validators=[MinValueValidator(1), MaxValueValidator(LARGEST_ID)]
    )

    class Meta:
        model = Channel
        fields = ("discord_id", "name", "category", "guild_id", "guild_name")


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):
    form = ChannelForm
    list_display = ("discord_id", "name", "category", "guild_name")
    search_fields = ("discord_id", "name", "guild_name")

    def get_readonly_fields(self, _request: HttpRequest, channel: Any = None) -> tuple[str, ...]:
        # Under another id it would be saved a second time.
        return ("discord_id",) if channel else ()


@admin.register(Poll)
class PollAdmin(ReadOnlyMixin, admin.ModelAdmin):
    list_display = ("started_at", "feed", "purpose", "window", "succeeded", "tally", "error_kind")
    list_filter = ("succeeded", "purpose", ErrorKindFilter)
    list_select_related = ("feed__session", "feed__channel")
    paginator = BoundedPaginator
    show_full_result_count = False


class RevisionInline(ReadOnlyMixin, admin.TabularInline):
    model = Revision


@admin.register(Message)
class MessageAdmin(ReadOnlyMixin, admin.ModelAdmin):
    list_display = ("timestamp", "channel", "author_name", "content", "edited_at", "deleted_at")
    list_select_related = ("channel",)
    inlines = (RevisionInline,)
    ordering = ("-timestamp", "-discord_id")
    paginator = BoundedPaginator
    show_full_result_count = False
